"""Scalars that were revised, and files of before a column was there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from dkl_core.errors import InputError
from dkl_core.record import Event, RunHeader, RunRecord, read_run

Tell = Callable[..., Event]


def revision(*changes: tuple[int, float]) -> Event:
    told = [
        {"told": number, "value": value, "valid": True, "reason": "", "noise_variance": 0.5}
        for number, value in changes
    ]
    return Event("revise", {"changes": told})


@pytest.mark.parametrize("in_order_after", [0, 1, 2, 3, 4])
def test_the_table_shows_the_latest_scalars_whenever_the_file_was_put_in_order(
    path: Path, header: RunHeader, tell: Tell, in_order_after: int
) -> None:
    events = [tell(value=1.0), tell(value=2.0, details={"gain": 3}), revision((1, 5.0)), revision((0, 4.0), (1, 6.0))]
    with RunRecord.create(path, header) as record:
        for number, event in enumerate(events):
            if number == in_order_after:
                record.checkpoint()
            record.append(event)
    with h5py.File(path) as h5:
        assert h5["measurements/value"][()].tolist() == [4.0, 6.0]
        assert h5["measurements/noise_variance"][()].tolist() == [0.5, 0.5]
        assert '"gain":3' in h5["measurements/details"].asstr()[1]
        assert '"value":2.0' in h5["measurements/details"].asstr()[1]
    with read_run(path) as contents:
        table = contents.measurements
        assert [event.data["value"] for event in contents.events() if event.kind == "tell"] == [1.0, 2.0]
    assert table.value.tolist() == [4.0, 6.0]
    assert table.details[1]["original"] == {"value": 2.0, "valid": True, "reason": "", "noise_variance": None}


def test_a_revision_of_a_measurement_that_is_not_there_harms_nothing(path: Path, header: RunHeader, tell: Tell) -> None:
    with RunRecord.create(path, header) as record:
        record.append(tell(value=1.0))
        record.append(revision((7, 5.0)))
    with read_run(path) as contents:
        assert contents.measurements.value.tolist() == [1.0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "a change of a revise event lacks 'told'"),
        ({"changes": [{"told": 0, "value": 1.0}]}, "a change of a revise event lacks 'valid'"),
        (
            {"changes": [{"told": 0.5, "value": 1.0, "valid": True, "reason": "", "noise_variance": None}]},
            "a change of a revise event has told=0.5; give an integer",
        ),
    ],
)
def test_a_revision_that_does_not_fit_the_table_is_refused(
    path: Path, header: RunHeader, data: dict[str, object], message: str
) -> None:
    with RunRecord.create(path, header) as record, pytest.raises(InputError, match=message):
        record.append(Event("revise", data))


def test_electrons_are_kept(path: Path, header: RunHeader, tell: Tell) -> None:
    with RunRecord.create(path, header) as record:
        record.append(tell(electrons=2.5e6))
        record.append(tell(electrons=None))
    with read_run(path) as contents:
        assert contents.measurements.electrons[0] == 2.5e6
        assert np.isnan(contents.measurements.electrons[1])


def test_a_run_of_before_electrons_were_counted_goes_on(path: Path, header: RunHeader, tell: Tell) -> None:
    with RunRecord.create(path, header) as record:
        record.append(tell(value=1.0))
    with h5py.File(path, "r+") as h5:
        del h5["measurements/electrons"]
    with RunRecord.reopen(path) as record:
        record.append(tell(value=2.0, electrons=7.0))
    with h5py.File(path) as h5:
        electrons = h5["measurements/electrons"][()]
    assert np.isnan(electrons[0])
    assert electrons[1:].tolist() == [7.0]
    with read_run(path) as contents:
        assert contents.measurements.value.tolist() == [1.0, 2.0]
