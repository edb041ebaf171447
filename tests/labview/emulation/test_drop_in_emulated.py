"""The drop-in under the emulated published VI: it decides, and no fault sends the tip anywhere but to a site."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from dkl_core.scalarizers import Spectrum, get_scalarizer
from labview_bridge.emulation.faults import Faults, every_fault, worker_pid, worker_pids
from labview_bridge.emulation.interpreters import SUPPORTED, interpreters
from labview_bridge.emulation.published_vi import PublishedVI, State, VISettings
from labview_bridge.emulation.samples import RecordedSample
from labview_bridge.emulation.vi_files import NumberFormat
from labview_bridge.emulation.workplace import Workplace

# Time enough for the model on any machine: then no decision depends on how fast it is.
PATIENT = {"deadline_s": 100.0}
SETTINGS = {"step": 8, "window": 16}


@pytest.fixture
def workplace(tmp_path: Path) -> Iterator[Workplace]:
    place = Workplace.made(tmp_path / "place", {"first_deadline_s": 100.0, "seeds": 6}, **PATIENT)
    yield place
    place.end_worker()
    assert worker_pids(place.runs) == []


@pytest.fixture
def hasty(tmp_path: Path) -> Iterator[Workplace]:
    place = Workplace.made(tmp_path / "place", {"first_deadline_s": 1.0, "seeds": 5}, deadline_s=0.5)
    yield place
    place.end_worker()
    assert worker_pids(place.runs) == []


def run_vi(place, sample, iterations, *, python=sys.executable, before=None, name="T", numbers=None, **options):
    hosted = {key: options.pop(key) for key in ("argv", "stdout") if key in options}
    settings = VISettings(
        name=name, iterations=iterations, numbers=numbers or NumberFormat(), **{**SETTINGS, **options}
    )
    with place.session(python, **hosted) as session:
        vi = PublishedVI(session, place.modules, place.base, sample, settings, before=before)
        vi.run()
        if isinstance(before, Faults):
            before.end()
        return vi


def assert_only_on_sites(vi):
    assert len(vi.visits) == vi.settings.iterations + 1
    wrong = [(visit.iteration, visit.x_px, visit.y_px, visit.index) for visit in vi.visits if not visit.on_site]
    assert wrong == []
    assert all(answer.ok and answer.plain for visit in vi.visits for answer in (visit.decision, visit.scalarized))


def test_after_the_seeds_the_model_decides_whatever_the_decimal_sign_and_no_site_comes_twice(workplace, simulated):
    first = run_vi(workplace, simulated, 9, name="POINT")
    assert_only_on_sites(first)
    sources = [status["source"] for status in workplace.statuses() if "source" in status]
    assert sources == ["seed"] * 6 + ["model"] * 4
    assert len({visit.index for visit in first.visits}) == 10
    twin = type(simulated)(type(simulated.surface)(simulated.surface.settings))
    second = run_vi(workplace, twin, 9, name="COMMA", numbers=NumberFormat(decimal_comma=True))
    assert [visit.index for visit in first.visits] == [visit.index for visit in second.visits]


def test_the_scalar_of_the_vi_is_the_published_one_of_the_spectrum(hasty, simulated):
    vi = run_vi(hasty, simulated, 3)
    twin = type(simulated)(type(simulated.surface)(simulated.surface.settings))
    for visit in vi.visits:
        spectrum = twin.spectrum(visit.x_px, visit.y_px)
        ratio = get_scalarizer("in_gap_ratio")(Spectrum.from_array(spectrum)).value
        assert visit.scalar == pytest.approx(5 + 1000 * ratio, rel=1e-5)


class WorkerFirst(Faults):
    """Faults that begin when a worker is there, so that those of the worker find one."""

    def __call__(self, vi, state):
        until = time.monotonic() + 100
        while vi.iteration == 2 and worker_pid(self.runs) is None and time.monotonic() < until:
            time.sleep(0.05)
        super().__call__(vi, state)


def test_faults_at_every_call_send_the_tip_to_sites_only_and_the_run_goes_on(hasty, simulated):
    faults = WorkerFirst(every_fault(hasty.runs), seed=2, spared=1)
    faults.runs = hasty.runs
    vi = run_vi(hasty, simulated, 24, before=faults)
    assert len(faults.struck) == 48
    assert {"WorkerKilled", "SlowFit", "ExceptionInside"} <= {struck.name for struck in faults.struck}
    assert_only_on_sites(vi)


def test_faults_from_the_first_call_on_leave_seeds_and_fall_backs(hasty, simulated):
    faults = Faults([fault for fault in every_fault(hasty.runs) if "scan" in fault.name], seed=5)
    vi = run_vi(hasty, simulated, 7, before=faults)
    assert_only_on_sites(vi)
    assert Counter(status.get("source") for status in hasty.statuses())["seed"] > 0


def test_a_measurement_that_reached_only_the_vis_file_does_not_make_the_model_start_again(workplace, simulated):
    def before(vi, state):
        vi.raise_at = 0 if (vi.iteration, state) == (7, State.COMPILE) else None

    vi = run_vi(workplace, simulated, 10, before=before)
    assert [visit.iteration for visit in vi.visits if visit.scalarized.raised] == [7]
    assert_only_on_sites(vi)
    assert [status["source"] for status in workplace.statuses() if "source" in status][7:] == ["model"] * 4
    assert "told anew" not in (workplace.runs / "worker.log").read_text()


def test_without_argv_and_with_output_closed_the_worker_still_starts(workplace, simulated):
    vi = run_vi(workplace, simulated, 6, argv=False, stdout="closed")
    assert_only_on_sites(vi)
    assert [status["source"] for status in workplace.statuses() if "source" in status][6:] == ["model"]


def test_integers_for_the_return_type_serve_as_well(hasty, simulated):
    assert_only_on_sites(run_vi(hasty, simulated, 2, decision_type="[I32]"))


def test_a_published_run_goes_on_its_own_grid(hasty, shared_data):
    sample = RecordedSample(shared_data / "stm_runs" / "Figure4_Adsorbate_defect_10nm.hf5")
    vi = run_vi(hasty, sample, 7, step=10, window=30)
    assert len(vi.sites) == 2304
    assert_only_on_sites(vi)


@pytest.mark.parametrize("version", SUPPORTED, ids=lambda version: f"{version[0]}.{version[1]}")
def test_every_python_of_labview_runs_the_drop_in(version, hasty, simulated):
    python = interpreters().get(version)
    if python is None:
        pytest.skip(f"there is no CPython {version[0]}.{version[1]} on this machine")
    vi = run_vi(hasty, simulated, 3, python=python)
    assert_only_on_sites(vi)
    assert all(visit.scalar > 5 for visit in vi.visits)
    assert [status["code"] for status in hasty.statuses()] == [0] * 8
