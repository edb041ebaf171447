from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from dkl_core.errors import InputError, RecordError
from dkl_core.record import Event, RunHeader, RunRecord, read_run

Tell = Callable[..., Event]


@pytest.fixture
def closed(path: Path, header: RunHeader, tell: Tell) -> Path:
    with RunRecord.create(path, header) as record:
        record.append(tell(np.arange(2000.0) % 7))
    return path


@pytest.fixture(params=[read_run, RunRecord.reopen], ids=["read", "reopen"])
def opened(request: pytest.FixtureRequest) -> Callable[[Path], object]:
    """Both ways to open a file."""
    way: Callable[[Path], object] = request.param
    return way


def refused(way: Callable[[Path], object], path: Path, reason: str) -> None:
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(RecordError, match=reason) as caught:
        way(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert before is None or path.read_bytes() == before


def test_a_newer_format_is_refused(closed: Path, opened: Callable[[Path], object]) -> None:
    with h5py.File(closed, "r+") as h5:
        h5.attrs["format_version"] = 2
    refused(opened, closed, "format 2, written by a newer dkl-core; this one reads up to format 1: install a newer")


def test_an_hdf5_file_of_something_else_is_refused(path: Path, opened: Callable[[Path], object]) -> None:
    with h5py.File(path, "w") as h5:
        h5["data"] = 1
    refused(opened, path, "not the record of a run")


@pytest.mark.parametrize("content", [b"", b"one,two\n1,2\n"])
def test_a_file_that_is_not_hdf5_is_refused(path: Path, opened: Callable[[Path], object], content: bytes) -> None:
    path.write_bytes(content)
    refused(opened, path, "not an HDF5 file")


def test_a_missing_file_is_refused(path: Path, opened: Callable[[Path], object]) -> None:
    refused(opened, path, "cannot be read: No such file")
    assert list(path.parent.iterdir()) == []


def test_a_folder_is_refused(path: Path, opened: Callable[[Path], object]) -> None:
    path.mkdir()
    refused(opened, path, "cannot be read")


@pytest.mark.parametrize("part", [0.02, 0.5, 0.99])
def test_a_file_that_was_not_copied_whole_is_refused(
    closed: Path, opened: Callable[[Path], object], part: float
) -> None:
    content = closed.read_bytes()
    closed.write_bytes(content[: int(part * len(content))])
    refused(opened, closed, "copy it again")


@pytest.mark.parametrize("missing", ["events/log", "settings", "survey/image"])
def test_a_file_that_lacks_a_part_is_refused(closed: Path, missing: str) -> None:
    with h5py.File(closed, "r+") as h5:
        del h5[missing]
    refused(read_run, closed, "is damaged")


def test_raw_data_that_went_bad_is_reported_when_it_is_read(closed: Path) -> None:
    with h5py.File(closed, "r+") as h5:
        stack = h5["measurements/raw_000/raw"]
        stack.id.write_direct_chunk((0, 0), b"\0" * 10)
    with read_run(closed) as run:
        event = next(run.events())
        with pytest.raises(RecordError, match="is damaged"):
            event.arrays["raw"]


def test_an_existing_file_is_not_overwritten_unasked(closed: Path, header: RunHeader) -> None:
    with pytest.raises(RecordError, match="is there already"):
        RunRecord.create(closed, header)
    with read_run(closed) as run:
        assert len(run) == 1


def test_an_existing_file_is_overwritten_when_asked(closed: Path, header: RunHeader) -> None:
    RunRecord.create(closed, header, overwrite=True).close()
    with read_run(closed) as run:
        assert len(run) == 0


def test_a_missing_folder_is_named(path: Path, header: RunHeader) -> None:
    with pytest.raises(RecordError, match=r"folder .*missing does not exist"):
        RunRecord.create(path.parent / "missing" / "run.h5", header)


def test_another_suffix_is_refused(path: Path, header: RunHeader) -> None:
    with pytest.raises(InputError, match=r"must end in \.h5; call it run\.h5"):
        RunRecord.create(path.with_suffix(".dat"), header)


def test_a_header_that_cannot_be_kept_is_refused_before_anything_is_written(path: Path, header: RunHeader) -> None:
    for wrong in (
        replace(header, settings={"array": np.zeros(3)}),
        replace(header, mask=np.ones((3, 3), bool)),
        replace(header, versions={"everything": "x" * 40_000}),
    ):
        with pytest.raises(InputError):
            RunRecord.create(path, wrong)
    assert list(path.parent.iterdir()) == []


def test_nothing_can_be_recorded_after_closing(path: Path, header: RunHeader) -> None:
    record = RunRecord.create(path, header)
    record.close()
    record.close()
    for action in (lambda: record.append(Event("ask")), record.checkpoint):
        with pytest.raises(RecordError, match="is closed; reopen it"):
            action()
