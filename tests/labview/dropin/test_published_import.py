"""The journal of the drop-in becomes the core's run record."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dkl_core.errors import InputError, RecordError
from dkl_core.experiment.recorded import rebuilt
from dkl_core.record import read_run
from labview_bridge.worker.importing import import_journal


@pytest.fixture
def journalled(vi, heights, spectrum):
    """A run of four measurements, the third of them without scalar."""
    vi.configure(seeds=3)
    vi.write_scan(heights)
    session = vi.new_session()
    points, scalars = [], []
    for iteration in range(1, 5):
        x, y, *_ = vi.ask(session, iteration, 4, 9)
        given = [] if iteration == 3 else [spectrum[0], spectrum[1], [v + iteration for v in spectrum[2]], spectrum[3]]
        scalars.append(vi.measure(session, given, (x, y)))
        points.append((x, y))
        vi.write_rows([(x, y, s, 0, x * 0.5, y * 0.5) for (x, y), s in zip(points, scalars, strict=True)])
    return points, scalars


def test_the_record_holds_image_sites_scalars_and_spectra(vi, heights, spectrum, journalled, tmp_path):
    points, scalars = journalled
    (path,) = import_journal(vi.runs()[0], tmp_path / "run.h5")
    with read_run(path) as contents:
        experiment = rebuilt(contents)
        raw = [event.arrays["raw"][()] for event in contents.events() if event.kind == "tell" and event.arrays]
    np.testing.assert_array_equal(experiment.survey.values, heights)
    assert experiment.survey.pixel_nm == (0.5, 0.5)
    assert [(told.site.col, 63 - told.site.row) for told in experiment.told] == points
    assert [told.measurement.scalar.value for told in experiment.told if told.measurement.ok] == [
        scalar for scalar in scalars if scalar
    ]
    assert [told.measurement.ok for told in experiment.told] == [True, True, False, True]
    np.testing.assert_array_equal(raw[0][2], np.array(spectrum[2]) + 1)
    assert len(raw) == 3
    assert len(experiment.sites) == 196
    assert experiment.pending == ()


def test_a_measurement_beside_the_grid_keeps_its_place(vi, heights, spectrum, journalled, tmp_path):
    vi.measure(vi.new_session(), spectrum, (7.0, 9.0))
    (path,) = import_journal(vi.runs()[0] / "journal.jsonl", tmp_path / "run.h5")
    with read_run(path) as contents:
        experiment = rebuilt(contents)
    assert len(experiment.sites) == 197
    assert (experiment.told[-1].site.col, experiment.told[-1].site.row) == (7, 63 - 9)


def test_what_came_instead_of_a_spectrum_is_kept_too(vi, journalled, tmp_path):
    vi.measure(vi.new_session(), [[0.0, 1.0, 2.0], [5.0]], (8.0, 8.0))
    (path,) = import_journal(vi.runs()[0], tmp_path / "run.h5")
    with read_run(path) as contents:
        told = rebuilt(contents).told[-1]
    assert not told.measurement.ok
    assert told.measurement.details["spectrum"] == [[0.0, 1.0, 2.0], [5.0]]


def test_what_the_model_expected_is_kept(vi, journalled, tmp_path):
    path = vi.runs()[0] / "journal.jsonl"
    events = [json.loads(line) for line in path.read_text().splitlines()]
    for event in events:
        if event["event"] == "suggest":
            event.update(mean=2.5, std=0.25)
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    (record,) = import_journal(path, tmp_path / "run.h5")
    with read_run(record) as contents:
        told = rebuilt(contents).told
    assert [(item.predicted_mean, item.predicted_std) for item in told] == [(2.5, 0.25)] * 4


def test_the_journal_stays_as_it_is_and_a_record_that_is_there_too(vi, journalled, tmp_path):
    before = (vi.runs()[0] / "journal.jsonl").read_bytes()
    import_journal(vi.runs()[0], tmp_path / "run.h5")
    with pytest.raises(RecordError):
        import_journal(vi.runs()[0], tmp_path / "run.h5")
    assert (vi.runs()[0] / "journal.jsonl").read_bytes() == before


def test_a_journal_without_image_is_refused(vi, spectrum, tmp_path):
    vi.measure(vi.new_session(), spectrum, (4.0, 4.0))
    with pytest.raises(RecordError, match="holds no image yet"):
        import_journal(vi.runs()[0], tmp_path / "run.h5")


def test_an_image_that_was_taken_away_is_asked_for(vi, journalled, tmp_path):
    (vi.runs()[0] / "scan.f64").unlink()
    with pytest.raises(InputError, match="put it beside the journal"):
        import_journal(vi.runs()[0], tmp_path / "run.h5")


def test_a_journal_of_another_kind_is_refused(tmp_path):
    (tmp_path / "journal.jsonl").write_text('{"event": "other"}\n')
    with pytest.raises(InputError, match="is no journal of the drop-in"):
        import_journal(tmp_path, tmp_path / "run.h5")
