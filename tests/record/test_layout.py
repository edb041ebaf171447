from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from dkl_core.record import Event, RunHeader, RunRecord, read_run
from dkl_core.survey import SurveyImage

Tell = Callable[..., Event]


@pytest.fixture
def closed(path: Path, header: RunHeader, tell: Tell) -> Path:
    """A finished run with spectra, patterns and a failed measurement."""
    with RunRecord.create(path, header) as record:
        record.append(Event("ask", {"site": 0}, {"mean": np.arange(4.0)}))
        record.append(tell(np.full((2, 5), 0.5), site=0, dose=12.5, details={"gain": 2}))
        record.append(tell(site=1, value=None, valid=False, reason="tip crash"))
        record.checkpoint()
        record.append(tell(np.full((4, 4), 3, np.uint16), site=2))
        record.append(tell(np.full((2, 5), 1.5), site=3))
        record.append(Event("fit", {"loss": 0.5}, {"w": np.ones(3)}))
    return path


def test_the_root_says_what_the_file_is(closed: Path) -> None:
    with h5py.File(closed) as h5:
        assert h5.attrs["format"] == "dkl-run"
        assert h5.attrs["format_version"] == 1
        assert h5.attrs["created"] == "2026-11-21T08:00:00+00:00"
        assert json.loads(h5.attrs["versions"])["dkl-core"] == "0.1"
        assert json.loads(h5["settings"][()])["acquisition"] == {"name": "ucb", "beta": 10.0}


def test_the_measurements_are_columns_of_equal_length(closed: Path) -> None:
    with h5py.File(closed) as h5:
        table = h5["measurements"]
        columns = {name: item for name, item in table.items() if isinstance(item, h5py.Dataset)}
        assert {item.shape for item in columns.values()} == {(4,)}
        assert table["site"][()].tolist() == [0, 1, 2, 3]
        assert np.isnan(table["value"][()]).tolist() == [False, True, False, False]
        assert table["valid"][()].tolist() == [True, False, True, True]
        assert table["reason"].asstr()[()].tolist() == ["", "tip crash", "", ""]
        assert json.loads(table["details"][0]) == {"gain": 2}
        assert table["seconds"].attrs["units"] == "s"


def test_every_row_is_linked_with_its_raw_data(closed: Path) -> None:
    with h5py.File(closed) as h5:
        table = h5["measurements"]
        assert table["raw_group"][()].tolist() == [0, -1, 1, 0]
        assert table["raw_row"][()].tolist() == [0, -1, 0, 1]
        assert table["raw_000/raw"][:, 0, 0].tolist() == [0.5, 1.5]
        assert table["raw_000/measurement"][()].tolist() == [0, 3]
        assert table["raw_001/raw"].dtype == np.uint16


def test_raw_data_is_compressed_by_filters_every_hdf5_has(closed: Path) -> None:
    with h5py.File(closed) as h5:
        stack = h5["measurements/raw_000/raw"]
        assert (stack.compression, stack.shuffle, stack.chunks) == ("gzip", True, (1, 2, 5))


def test_the_log_holds_every_event_in_order(closed: Path) -> None:
    with h5py.File(closed) as h5:
        lines = [json.loads(line) for line in h5["events/log"]]
        assert [line["seq"] for line in lines] == [0, 1, 2, 3, 4, 5]
        assert [line["kind"] for line in lines] == ["ask", "tell", "tell", "tell", "tell", "fit"]
        assert h5[lines[0]["arrays"]["mean"]["at"]][()].tolist() == [0, 1, 2, 3]


def test_the_model_has_the_latest_fit(closed: Path) -> None:
    with h5py.File(closed) as h5:
        model = h5["model"]
        assert model[model.attrs["latest"]]["w"][()].tolist() == [1, 1, 1]


def test_a_closed_file_has_no_journal_and_stands_alone_in_its_folder(closed: Path) -> None:
    with h5py.File(closed) as h5:
        assert "journal" not in h5
    assert [item.name for item in closed.parent.iterdir()] == ["run.h5"]


def test_an_open_file_can_be_read_with_h5py_after_every_event(path: Path, header: RunHeader, tell: Tell) -> None:
    with RunRecord.create(path, header, journal_bytes=4096) as record:
        for site in range(40):
            record.append(tell(np.full((2, 5), site), site=site))
            with h5py.File(path) as h5:
                h5.visititems(lambda _, item: item[()] if isinstance(item, h5py.Dataset) else None)


def test_an_open_file_takes_little_space_on_the_disk(path: Path, header: RunHeader) -> None:
    with RunRecord.create(path, header):
        state = path.stat()
        assert state.st_size > 2**25
        if not hasattr(state, "st_blocks"):
            pytest.skip("this system does not say how much of a file is on the disk")
        assert state.st_blocks * 512 < 2**20


def test_a_checkpoint_puts_every_event_in_the_tables(path: Path, header: RunHeader, tell: Tell) -> None:
    with RunRecord.create(path, header) as record:
        record.append(tell(site=5))
        record.checkpoint()
        with h5py.File(path) as h5:
            assert h5["measurements/site"][()].tolist() == [5]


def test_the_journal_grows_with_the_run(path: Path, header: RunHeader, rng: np.random.Generator) -> None:
    with RunRecord.create(path, header, journal_bytes=10_000) as record:
        for _ in range(30):
            record.append(Event("note", {}, {"noise": rng.random(1000)}))
        with h5py.File(path) as h5:
            assert h5["journal"].size > 60_000


def test_what_a_user_adds_to_the_file_stays_when_the_run_goes_on(closed: Path) -> None:
    with h5py.File(closed, "r+") as h5:
        h5["analysis/result"] = [1, 2]
        h5["measurements/height"] = [0.0, 1.0, 2.0, 3.0]
        h5["model/comment"] = "good"
        h5.attrs["operator"] = "A. B."
    RunRecord.reopen(closed).close()
    with h5py.File(closed) as h5:
        assert h5["analysis/result"][()].tolist() == [1, 2]
        assert h5["measurements/height"][3] == 3.0
        assert h5["model/comment"][()] == b"good"
        assert h5.attrs["operator"] == "A. B."


def nsid(path: Path) -> dict[str, object]:
    """NSID datasets by their title, as the readers of others find them."""
    reader = pytest.importorskip("SciFiReaders").NSIDReader(str(path))
    found = {dataset.title: dataset for dataset in reader.read().values()}
    reader.close()
    return found


def test_nsid_readers_find_the_survey_image_with_its_scale(closed: Path, header: RunHeader) -> None:
    image = nsid(closed)["survey image"]
    assert image.data_type.name == "IMAGE"
    assert np.array_equal(np.asarray(image), header.survey.values)
    assert [axis.units for axis in image._axes.values()] == ["nm", "nm"]
    assert [axis.dimension_type.name for axis in image._axes.values()] == ["SPATIAL", "SPATIAL"]
    assert np.allclose(image._axes[0].values, 10.0 + 0.5 * np.arange(12))
    assert np.allclose(image._axes[1].values, -3.0 + 0.25 * np.arange(9))


def test_nsid_readers_find_the_raw_data(closed: Path) -> None:
    datasets = nsid(closed)
    assert np.asarray(datasets["raw data raw_000"])[:, 1, 4].tolist() == [0.5, 1.5]
    assert np.asarray(datasets["raw data raw_001"]).shape == (1, 4, 4)


def test_nsid_readers_give_an_image_without_calibration_in_pixels(path: Path, header: RunHeader) -> None:
    bare = RunHeader({}, SurveyImage(np.ones((3, 4))), None, {}, "2026-11-21")
    RunRecord.create(path, bare).close()
    image = nsid(path)["survey image"]
    assert [axis.units for axis in image._axes.values()] == ["px", "px"]
    assert image._axes[1].values.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("raw", [np.ones((2, 2), bool), np.ones(3, complex), np.zeros((0, 4)), np.array(1.0)])
def test_nsid_readers_open_files_with_any_raw_data(path: Path, header: RunHeader, tell: Tell, raw: np.ndarray) -> None:
    with RunRecord.create(path, header) as record:
        record.append(tell(raw))
    assert "survey image" in nsid(path)


def test_nsid_readers_may_open_a_run_while_it_is_written(path: Path, header: RunHeader, tell: Tell) -> None:
    with RunRecord.create(path, header) as record:
        record.append(tell(np.ones(3), site=0))
        record.checkpoint()
        reader = pytest.importorskip("SciFiReaders").NSIDReader(str(path))
        record.append(tell(np.ones(3), site=1))
        reader.read()
        record.append(tell(np.ones(3), site=2))
        reader.close()
        record.append(tell(np.ones(3), site=3))
    with read_run(path) as run:
        assert run.measurements.site.tolist() == [0, 1, 2, 3]
