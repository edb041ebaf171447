"""A script that does what a hand does on the panel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dkl_core.errors import InputError, ScalarizerError
from nionswift_plugin.dkl.scripting import RunFailedError, ScriptCancelledError, ScriptedPanel, WaitError, connect
from nionswift_plugin.dkl.scripting.results import results_of
from tests.swift.panel.bench import PanelBench

Open = Callable[..., PanelBench]
LONG = {"sites": 30, "exposure_ms": 20.0}
SOON_S = 120.0


def scripted(bench: PanelBench) -> ScriptedPanel:
    return connect(bench.swift.document_controller)


def on_worker(bench: PanelBench, work: Callable[[], Any]) -> Any:
    return bench.swift.on_worker(work, SOON_S)


def test_a_script_sets_up_runs_and_reads_what_was_found(open_panel: Open) -> None:
    bench = open_panel()
    dkl = scripted(bench)

    def script() -> Any:
        dkl.set_up(sites=8, aim="weakest")
        survey = dkl.survey()
        assert survey is not None
        assert survey.shape == (48, 48)
        assert dkl.estimate.measured == 8
        assert dkl.start() == dkl.path
        return dkl.wait()

    found = on_worker(bench, script)
    assert bench.view.sites_edit.text == "8"
    assert "budget" in found.reason
    assert found.path == bench.files[0]
    assert found.measured.shape == (8, 2)
    assert found.best_value == np.nanmin(found.values) == dkl.status.best
    assert found.mean.shape == found.std.shape == (len(found.sites),)
    assert bench.is_blanked


def test_a_script_pauses_steps_goes_on_and_stops(open_panel: Open) -> None:
    bench = open_panel(**LONG)
    dkl = scripted(bench)

    def script() -> Any:
        dkl.start()
        dkl.pause()
        counts = [dkl.status.measured]
        assert dkl.phase == "paused"
        dkl.step(2)
        counts.append(len(dkl.results().values))
        dkl.resume()
        assert dkl.phase == "running"
        dkl.stop()
        return counts, dkl.results()

    counts, found = on_worker(bench, script)
    assert counts[1] == counts[0] + 2
    assert found.reason == "stopped by the user"
    assert counts[1] <= len(found.values) < 30


def test_a_script_tells_the_next_site_and_takes_the_last_one_back(open_panel: Open) -> None:
    bench = open_panel(**LONG)
    dkl = scripted(bench)

    def script() -> None:
        dkl.step()
        site = dkl.tell_next(40, 8)
        dkl.step()
        assert tuple(dkl.results().measured[-1]) == (site.row, site.col) == (40, 8)
        assert dkl.reject() == site
        assert np.isnan(dkl.results().values[-1])
        assert dkl.undo() == site
        assert np.isfinite(dkl.results().values[-1])
        with pytest.raises(InputError, match="measured"):
            dkl.tell_next(40, 8)
        dkl.stop()

    on_worker(bench, script)
    assert not bench.notices


def test_a_run_that_was_stopped_at_once_is_resumed_from_its_file(open_panel: Open) -> None:
    bench = open_panel(sites=8)
    dkl = scripted(bench)

    def script() -> Any:
        path = dkl.start()
        dkl.step()
        dkl.stop(at_once=True)
        left = results_of(path)
        assert left.reason == ""
        assert dkl.start_again(path) == path
        return left, dkl.wait()

    left, found = on_worker(bench, script)
    assert 1 <= len(left.values) < 8
    np.testing.assert_array_equal(found.values[: len(left.values)], left.values)
    assert len(found.values) == 8


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"colour": 3}, "no setting colour"), ({"sites": 1}, "too few"), ({"exposure_ms": -1.0}, "exposure")],
)
def test_settings_that_cannot_be_used_are_refused_by_name(
    open_panel: Open, changes: dict[str, Any], message: str
) -> None:
    bench = open_panel()
    before = bench.controller.settings
    with pytest.raises(InputError, match=message):
        scripted(bench).set_up(**changes)
    assert bench.controller.settings == before


def test_what_the_panel_complains_of_is_raised(open_panel: Open, monkeypatch: Any) -> None:
    bench = open_panel()
    dkl = scripted(bench)
    with pytest.raises(InputError, match="no run"):
        dkl.pause()
    with pytest.raises(InputError, match="nothing was run"):
        dkl.results()
    with pytest.raises(InputError, match="no image is selected"):
        on_worker(bench, dkl.use_displayed)
    with pytest.raises(InputError, match="no survey"):
        on_worker(bench, dkl.try_sites)
    with pytest.raises(ScalarizerError, match="option colour"):
        on_worker(bench, lambda: (dkl.set_up(options={"colour": 3}), dkl.start()))
    dkl.set_up(options={})
    monkeypatch.setattr(bench.swift.instrument, "is_simulator", False, raising=False)
    with pytest.raises(InputError, match="may be real"):
        on_worker(bench, dkl.survey)
    dkl.consent()
    assert on_worker(bench, dkl.survey) is not None
    bench.until_idle()


def test_a_run_that_fails_is_an_exception_and_its_file_is_named(open_panel: Open, monkeypatch: Any) -> None:
    bench = open_panel(**LONG)
    dkl = scripted(bench)

    def unplugged(*_: Any, **__: Any) -> Any:
        raise RuntimeError("unplugged")

    def script() -> None:
        dkl.step()
        monkeypatch.setattr(bench.swift.camera.camera, "acquire_sequence_begin", unplugged)
        monkeypatch.setattr(bench.swift.camera.camera, "acquire_single_begin", unplugged, raising=False)
        dkl.resume()
        dkl.wait()

    with pytest.raises(RunFailedError, match=r"could not be measured.*\.h5"):
        on_worker(bench, script)
    assert bench.is_blanked


def test_the_console_starts_and_looks_but_does_not_wait(open_panel: Open) -> None:
    bench = open_panel()
    dkl = scripted(bench)
    assert dkl.start() is None
    bench.pump(lambda: dkl.phase == "running" and dkl.status.measured)
    with pytest.raises(WaitError, match="Python Console"):
        dkl.wait()
    with pytest.raises(WaitError, match="Python Console"):
        dkl.results()
    assert dkl.tell_next(1e6, 1e6) is None
    bench.until_idle()
    assert len(dkl.results().values) == 6


def test_a_wait_ends_in_time_by_cancel_and_with_the_window(open_panel: Open) -> None:
    bench = open_panel(exposure_ms=2000.0)
    cancelled: list[bool] = []
    broker = type("Broker", (), {"get_interactive": lambda _self, _version: Dialog(bench, cancelled)})()
    dkl = connect(broker)
    on_worker(bench, dkl.survey)
    on_worker(bench, dkl.start)
    with pytest.raises(WaitError, match=r"not done within 0\.1 s"):
        on_worker(bench, lambda: dkl.wait(0.1))
    cancelled.append(True)
    with pytest.raises(ScriptCancelledError, match="goes on"):
        on_worker(bench, dkl.wait)
    assert bench.controller.phase == "running"
    cancelled.clear()
    bench.controller.close()
    with pytest.raises(WaitError, match="window is closed"):
        on_worker(bench, dkl.wait)


class Dialog:
    """Swift's window of a script."""

    def __init__(self, bench: PanelBench, cancelled: list[bool]) -> None:
        self.document_controller = bench.swift.document_controller
        self._cancelled = cancelled

    @property
    def cancelled(self) -> bool:
        return bool(self._cancelled)


def test_what_is_no_window_is_refused() -> None:
    with pytest.raises(InputError, match="_window in the Python Console"):
        connect("window")  # type: ignore[arg-type]


def test_the_example_of_the_guide_runs_in_swifts_window_of_scripts(open_panel: Open) -> None:
    from nion.swift.ScriptsDialog import RunScriptDialog

    bench = open_panel()
    example = Path(__file__).parents[3] / "docs" / "examples" / "swift_run.py"
    dialog, lines = RunScriptDialog(bench.swift.document_controller), list[str]()
    dialog.print = lambda text: lines.append(str(text))
    dialog.run_script(str(example))
    bench.pump(lambda: any("run file" in line or "Traceback" in line for line in lines))
    dialog.close()
    bench.until_idle()
    output = "\n".join(lines)
    assert "Traceback" not in output, output
    assert "20 sites in" in output
    assert "best " in output
    with np.load(bench.files[0].with_suffix(".npz")) as kept:
        assert len(kept["mean"]) == len(kept["sites"])
