from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from dkl_core.errors import RecordError
from dkl_core.record import Event, RunHeader, RunRecord, read_run

Tell = Callable[..., Event]
Script = Callable[..., "subprocess.CompletedProcess[str]"]

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits and permissions")


@posix_only
@pytest.mark.parametrize("what", ["append", "fold"])
def test_a_full_disk_stops_one_event_and_none_is_lost(run_script: Script, what: str) -> None:
    result = run_script("full_disk.py", what)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_an_event_whose_flush_failed_is_not_there_and_can_be_told_again(
    path: Path, header: RunHeader, tell: Tell, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    with RunRecord.create(path, header) as record:
        record.append(tell(site=0))
        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", fail)
            with pytest.raises(RecordError, match=os.strerror(number)):
                record.append(tell(np.ones(50), site=1))
        with read_run(path) as run:
            assert len(run) == 1
        record.append(tell(site=1))
    with read_run(path) as run:
        assert run.measurements.site.tolist() == [0, 1]
        assert [set(event.arrays) for event in run.events()] == [set(), set()]


@pytest.fixture
def forbidden() -> Iterator[Path]:
    """A folder everybody may read and nobody may write."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(stat.S_IRUSR | stat.S_IXUSR | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)
        yield folder
        folder.chmod(stat.S_IRWXU)


@posix_only
def test_a_folder_that_may_not_be_written_is_named(run_script: Script, forbidden: Path) -> None:
    result = run_script("read_only.py", forbidden)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(f"{forbidden / 'run.h5'} cannot be written (Permission denied); choose another")


def test_a_file_that_another_program_holds_is_left_and_the_run_goes_on(
    path: Path, header: RunHeader, tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def held(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Access is denied")

    with RunRecord.create(path, header) as record:
        record.append(tell(site=0))
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", held)
            with pytest.raises(RecordError, match="close the program that has it open"):
                record.checkpoint()
        assert not path.with_name("run.h5.new").exists()
        record.append(tell(site=1))
    with read_run(path) as run:
        assert run.measurements.site.tolist() == [0, 1]


@posix_only
def test_a_file_moved_away_is_noticed_and_taken_up_again_when_it_is_back(
    path: Path, header: RunHeader, tell: Tell
) -> None:
    with RunRecord.create(path, header) as record:
        record.append(tell(site=0))
        away = path.rename(path.with_name("elsewhere.h5"))
        with pytest.raises(RecordError, match="moved or deleted"):
            record.append(tell(site=1))
        away.rename(path)
        record.append(tell(site=1))
    with read_run(path) as run:
        assert run.measurements.site.tolist() == [0, 1]


@posix_only
def test_a_file_exchanged_for_a_copy_of_itself_is_continued(path: Path, header: RunHeader, tell: Tell) -> None:
    with RunRecord.create(path, header) as record:
        record.append(tell(site=0))
        copy = path.with_name("copy.h5")
        copy.write_bytes(path.read_bytes())
        copy.replace(path)
        record.append(tell(site=1))
    with read_run(path) as run:
        assert run.measurements.site.tolist() == [0, 1]


@posix_only
def test_a_file_exchanged_for_an_older_one_is_refused(path: Path, header: RunHeader, tell: Tell) -> None:
    record = RunRecord.create(path, header)
    old = path.read_bytes()
    record.append(tell(site=0))
    copy = path.with_name("copy.h5")
    copy.write_bytes(old)
    kept = path.rename(path.with_name("kept.h5"))
    copy.rename(path)
    with pytest.raises(RecordError, match="replaced by another file"):
        record.append(tell(site=1))
    kept.replace(path)
    record.append(tell(site=1))
    record.close()


def test_a_second_writer_is_refused_and_the_first_goes_on(path: Path, header: RunHeader, tell: Tell) -> None:
    with RunRecord.create(path, header) as record:
        with pytest.raises(RecordError, match="being written already"):
            RunRecord.reopen(path)
        with pytest.raises(RecordError, match="being written already"):
            RunRecord.create(path, header, overwrite=True)
        record.append(tell(site=0))
    with read_run(path) as run:
        assert len(run) == 1


def test_a_second_writer_in_another_process_is_refused(path: Path, header: RunHeader, run_script: Script) -> None:
    with RunRecord.create(path, header):
        result = run_script("second_writer.py", path)
    assert (result.returncode, result.stderr) == (0, "")
    assert "being written already" in result.stdout


@posix_only
def test_others_in_the_same_process_may_have_the_file_open(path: Path, header: RunHeader, tell: Tell) -> None:
    RunRecord.create(path, header).close()
    with h5py.File(path, "r+"), RunRecord.reopen(path) as record, read_run(path):
        record.append(tell(site=0))
        with h5py.File(path):
            record.checkpoint()
    with read_run(path) as run:
        assert len(run) == 1


def test_a_file_that_came_out_with_events_missing_never_takes_the_old_ones_place(
    path: Path, header: RunHeader, tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RunRecord.create(path, header) as record:
        record.append(tell(site=0))
        with monkeypatch.context() as patch:
            patch.setattr("dkl_core.record.folding._Folder.add", lambda *_: None)
            with pytest.raises(RecordError, match="came out with 0 of 1 events"):
                record.checkpoint()
        assert not path.with_name("run.h5.new").exists()
        record.append(tell(site=1))
    with read_run(path) as run:
        assert run.measurements.site.tolist() == [0, 1]
