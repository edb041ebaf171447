from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from dkl_core.errors import InputError, RecordError
from dkl_core.record import Event, RunHeader, RunRecord, read_run

Tell = Callable[..., Event]
STATES = ["running", "checkpointed", "closed", "reopened"]


@pytest.fixture(params=STATES)
def recorded(request: pytest.FixtureRequest, path: Path, header: RunHeader) -> Iterator[Callable[[list[Event]], Path]]:
    """Records events and leaves the run in one of its states."""
    records: list[RunRecord] = []

    def record(events: list[Event]) -> Path:
        run = RunRecord.create(path, header)
        records.append(run)
        for event in events:
            run.append(event)
        if request.param == "checkpointed":
            run.checkpoint()
        if request.param in ("closed", "reopened"):
            run.close()
        if request.param == "reopened":
            records.append(RunRecord.reopen(path))
        return path

    yield record
    for run in records:
        run.close()


def same(one: Event, other: Event) -> bool:
    arrays = one.arrays.keys() == other.arrays.keys() and all(
        np.array_equal(one.arrays[key], other.arrays[key]) and one.arrays[key].dtype == other.arrays[key].dtype
        for key in one.arrays
    )
    return (one.kind, one.data) == (other.kind, other.data) and arrays


def test_events_of_every_kind_come_back_in_order(recorded: Callable[..., Path], tell: Tell) -> None:
    events = [
        Event("control", {"state": "seeding"}),
        Event("ask", {"site": 7, "why": "seed"}, {"mean": np.arange(6.0), "empty": np.zeros((0, 3))}),
        tell(np.ones((4, 5), np.uint16), site=7),
        Event("fit", {"loss": 0.1}, {"layers.0.weight": np.full((3, 2), 0.3, np.float32), "one": np.array(2.0)}),
        tell(site=8, value=None, valid=False, reason="tip crash"),
        Event("note", {"text": "the tip changed"}),
    ]
    with read_run(recorded(events)) as run:
        found = list(run.events())
        assert len(run) == len(found) == len(events)
        assert all(same(*pair) for pair in zip(events, found, strict=True))


def test_nan_infinity_none_and_unicode_come_back(recorded: Callable[..., Path], tell: Tell) -> None:
    details = {"x": [math.inf, -math.inf, None], "NUL\0": "half a pair \ud800", "Å": -0.0}
    with read_run(recorded([tell(value=math.nan, reason="unité µm\0", details=details)])) as run:
        data = next(run.events()).data
    assert math.isnan(data["value"])
    assert data["reason"] == "unité µm\0"
    assert data["details"] == details


def test_raw_data_of_different_shapes_and_types_come_back(recorded: Callable[..., Path], tell: Tell) -> None:
    raws = [
        np.arange(8.0).reshape(2, 4), np.arange(8, dtype=np.uint16).reshape(2, 4), np.zeros((3, 0)), np.array(5, "i1"),
        np.arange(8.0).reshape(2, 4) + 1, np.array([True, False]), np.array([1 + 2j]), np.arange(8.0).reshape(4, 2),
    ]  # fmt: skip
    with read_run(recorded([tell(raw) for raw in raws])) as run:
        for raw, event in zip(raws, run.events(), strict=True):
            assert np.array_equal(event.arrays["raw"], raw)
            assert (event.arrays["raw"].dtype, event.arrays["raw"].shape) == (raw.dtype, raw.shape)


def test_the_header_comes_back(recorded: Callable[..., Path], header: RunHeader) -> None:
    with read_run(recorded([])) as run:
        back = run.header
    assert back.settings == header.settings
    assert (back.versions, back.created) == (header.versions, header.created)
    assert np.array_equal(back.survey.values, header.survey.values)
    assert (back.survey.pixel_nm, back.survey.origin_nm) == (header.survey.pixel_nm, header.survey.origin_nm)
    assert header.mask is not None
    assert back.mask is not None
    assert np.array_equal(back.mask, header.mask)


def test_the_measurement_table_has_failed_measurements_too(recorded: Callable[..., Path], tell: Tell) -> None:
    failed = tell(site=9, value=None, valid=False, reason="saturated", attempt=2)
    with read_run(recorded([tell(noise_variance=0.5, details={"k": 1}), Event("ask"), failed])) as run:
        table = run.measurements
    assert len(table) == 2
    assert table.site.tolist() == [3, 9]
    assert table.valid.tolist() == [True, False]
    assert table.value[0] == 1.5
    assert math.isnan(table.value[1])
    assert table.reason == ("", "saturated")
    assert table.noise_variance[0] == 0.5
    assert math.isnan(table.noise_variance[1])
    assert table.attempt.tolist() == [1, 2]
    assert table.details == ({"k": 1}, {})


def test_the_latest_fit_has_its_arrays(recorded: Callable[..., Path]) -> None:
    fits = [Event("fit", {"number": n}, {"w": np.full(3, n)}) for n in range(5)]
    with read_run(recorded([*fits, Event("fit", {"refused": True})])) as run:
        assert run.latest_fit is not None
        assert run.latest_fit.data == {"number": 4}
        assert run.latest_fit.arrays["w"].tolist() == [4, 4, 4]


def test_a_run_without_fit_has_none(recorded: Callable[..., Path]) -> None:
    with read_run(recorded([Event("ask")])) as run:
        assert run.latest_fit is None


def test_of_older_fits_only_the_data_stays(path: Path, header: RunHeader) -> None:
    with RunRecord.create(path, header) as record:
        for number in range(5):
            record.append(Event("fit", {"number": number}, {"w": np.full(3, number)}))
            record.checkpoint()
    with read_run(path) as run:
        fits = list(run.events())
        assert [fit.data["number"] for fit in fits] == [0, 1, 2, 3, 4]
        assert [set(fit.arrays) for fit in fits] == [set(), set(), set(), {"w"}, {"w"}]


def test_a_run_can_be_continued_after_closing(path: Path, header: RunHeader, tell: Tell) -> None:
    with RunRecord.create(path, header) as record:
        assert record.append(tell(np.zeros(3), site=0)) == 0
    with RunRecord.reopen(path) as record:
        assert record.append(tell(np.ones(3), site=1)) == 1
    with read_run(path) as run:
        assert [event.arrays["raw"].tolist() for event in run.events()] == [[0, 0, 0], [1, 1, 1]]


def test_order_is_kept_when_the_journal_overflows_again_and_again(
    path: Path, header: RunHeader, tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)  # thousands of them take long on a busy disk
    with RunRecord.create(path, header, journal_bytes=2048) as record:
        for site in range(1300):
            record.append(tell(np.full(5, site), site=site))
            record.append(Event("ask", {"site": site + 1}))
    with read_run(path) as run:
        events = list(run.events())
        assert [event.kind for event in events] == ["tell", "ask"] * 1300
        assert [event.arrays["raw"][0] for event in events[::2]] == list(range(1300))


def test_an_event_larger_than_the_journal_is_recorded(path: Path, header: RunHeader, rng: np.random.Generator) -> None:
    large = rng.random(100_000)
    with RunRecord.create(path, header, journal_bytes=1000) as record:
        record.append(Event("note", {}, {"large": large}))
        with read_run(path) as run:
            assert np.array_equal(next(run.events()).arrays["large"], large)


def test_a_run_being_written_is_told_from_a_closed_one(path: Path, header: RunHeader) -> None:
    with RunRecord.create(path, header), read_run(path) as run:
        assert not run.closed_properly
    with read_run(path) as run:
        assert run.closed_properly


def test_reading_leaves_the_file_as_it_is(path: Path, header: RunHeader, tell: Tell) -> None:
    with RunRecord.create(path, header, journal_bytes=4096) as record:
        record.append(tell(np.ones(3)))
        before = path.read_bytes()
        with read_run(path) as run:
            assert len(run.measurements) == 1
        assert path.read_bytes() == before


def test_what_was_opened_stays_readable_while_the_run_goes_on(path: Path, header: RunHeader, tell: Tell) -> None:
    with RunRecord.create(path, header) as record:
        record.append(tell(np.ones(3), site=1))
        with read_run(path) as run:
            record.append(tell(np.ones(3), site=2))
            record.checkpoint()
            assert [event.data["site"] for event in run.events()] == [1]
            assert next(run.events()).arrays["raw"].tolist() == [1, 1, 1]


def test_arrays_asked_for_after_closing_are_refused(path: Path, header: RunHeader, tell: Tell) -> None:
    with RunRecord.create(path, header) as record:
        record.append(tell(np.ones(3)))
    with read_run(path) as run:
        event = next(run.events())
    with pytest.raises(RecordError, match="was closed"):
        event.arrays["raw"]
    with pytest.raises(RecordError, match="was closed"):
        next(run.events())


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("site", 1.5),
        ("value", "high"),
        ("valid", 1),
        ("reason", None),
        ("details", []),
        ("time", None),
        ("row", 2**63),
        ("dose", 10**400),
    ],
)
def test_a_measurement_that_does_not_fit_the_table_is_refused(
    path: Path, header: RunHeader, tell: Tell, column: str, value: object
) -> None:
    with RunRecord.create(path, header) as record:
        with pytest.raises(InputError, match=f"{column}="):
            record.append(tell(**{column: value}))
        record.append(tell())
    with read_run(path) as run:
        assert len(run) == 1


def test_a_measurement_that_lacks_a_column_is_refused(path: Path, header: RunHeader) -> None:
    with RunRecord.create(path, header) as record, pytest.raises(InputError, match="lacks 'row'"):
        record.append(Event("tell", {"site": 1}))
