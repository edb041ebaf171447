from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dkl_core.record import Event, RunHeader, RunRecord, read_run

Tell = Callable[..., Event]
Script = Callable[..., "subprocess.CompletedProcess[str]"]

needs_posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has neither fork nor signals")


@needs_posix
def test_a_writer_killed_at_forty_random_instants_loses_nothing_it_acknowledged(run_script: Script) -> None:
    result = run_script("kill_rounds.py", "random", 40)
    assert (result.returncode, result.stderr) == (0, "")
    assert sum(map(int, result.stdout.split())) > 100


@needs_posix
@pytest.mark.parametrize(
    ("moment", "least"),
    [
        ("while the file is created", 0),
        ("while an event is half written", 20),
        ("before an event is flushed", 15),
        ("while the file is put in order", 5),
        ("before the new file takes the old one's place", 20),
        ("after the new file has taken the old one's place", 20),
    ],
)
def test_a_writer_killed_loses_nothing_it_acknowledged(run_script: Script, moment: str, least: int) -> None:
    result = run_script("kill_rounds.py", "at", moment)
    assert (result.returncode, result.stderr) == (0, "")
    assert int(result.stdout.split()[0]) >= least


@pytest.fixture
def left_by_a_killed_writer(path: Path, header: RunHeader, tell: Tell) -> Callable[[int], Path]:
    """The file as it is after some measurements, not closed."""

    def left(measurements: int) -> Path:
        record = RunRecord.create(path, header)
        for site in range(measurements):
            record.append(tell(np.full(4, site), site=site))
        copy = path.with_name("left.h5")
        copy.write_bytes(path.read_bytes())
        record.close()
        return copy

    return left


def test_a_file_left_by_a_killed_writer_can_be_copied_read_and_continued(
    left_by_a_killed_writer: Callable[[int], Path], tell: Tell
) -> None:
    left = left_by_a_killed_writer(3)
    with read_run(left) as run:
        assert not run.closed_properly
        assert run.measurements.site.tolist() == [0, 1, 2]
    with RunRecord.reopen(left) as record:
        record.append(tell(np.full(4, 3), site=3))
    with read_run(left) as run:
        assert run.closed_properly
        assert [event.arrays["raw"][0] for event in run.events()] == [0, 1, 2, 3]


@pytest.mark.parametrize("kept", [1, 16, 32, 33, 100])
def test_a_torn_last_event_is_left_out_and_its_place_used_again(
    left_by_a_killed_writer: Callable[[int], Path], tell: Tell, kept: int
) -> None:
    left = left_by_a_killed_writer(2)
    content = bytearray(left.read_bytes())
    last = content.rindex(b"dklE")
    content[last + kept :] = bytes(len(content) - last - kept)
    left.write_bytes(content)
    with RunRecord.reopen(left) as record:
        assert record.append(tell(np.full(4, 9), site=9)) == 1
    with read_run(left) as run:
        assert run.measurements.site.tolist() == [0, 9]


def test_what_a_killed_writer_left_beside_the_file_is_cleared_away(path: Path, header: RunHeader) -> None:
    RunRecord.create(path, header).close()
    path.with_name("run.h5.new").write_bytes(b"half a file")
    path.with_name("run.h5.lock").touch()
    RunRecord.reopen(path).close()
    assert [item.name for item in path.parent.iterdir()] == ["run.h5"]


def test_an_interrupt_between_two_files_loses_no_later_event(
    path: Path, header: RunHeader, tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RunRecord.create(path, header) as record:
        record.append(tell(site=0))
        replace = Path.replace

        def interrupted(new: Path, old: Path) -> Path:
            replace(new, old)
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", interrupted)
            with pytest.raises(KeyboardInterrupt):
                record.checkpoint()
        record.append(tell(site=1))
    with read_run(path) as run:
        assert run.measurements.site.tolist() == [0, 1]


@needs_posix
@pytest.mark.parametrize("presses", [1, 2])
def test_a_user_who_presses_ctrl_c_while_the_file_is_put_in_order_loses_nothing(
    run_script: Script, presses: int
) -> None:
    result = run_script("interrupted.py", presses)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_run_can_be_closed_while_the_interpreter_ends(run_script: Script, tmp_path: Path) -> None:
    result = run_script("closed_at_exit.py")
    assert (result.returncode, result.stderr) == (0, "")
    with read_run(tmp_path / "run.h5") as run:
        assert run.closed_properly
        assert len(run) == 1
