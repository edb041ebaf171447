"""What is shown of an experiment while it runs, and what is left of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.swift.display.conftest import file_window
from tests.swift.display.fakes import EVERYTHING, Shown


@pytest.fixture
def shown(open_window: Callable[[], Any], tmp_path: Path) -> Shown:
    return Shown(open_window(), tmp_path)


def test_items_are_live_and_in_a_transaction_while_it_runs_and_not_afterwards(shown: Shown) -> None:
    seen: list[tuple[bool, int]] = []
    shown.begin()
    shown.session.pause()
    shown.window.pump(lambda: shown.session.state == "paused" and "survey" in shown.roles())
    seen.append((shown.item("survey").is_live, shown.window.model.transaction_count > 0))
    shown.session.resume()
    shown.finish()
    seen.append((shown.item("survey").is_live, shown.window.model.transaction_count > 0))
    assert seen == [(True, True), (False, False)]


def test_an_item_that_is_deleted_during_the_run_stays_away_and_the_run_goes_on(shown: Shown) -> None:
    shown.begin(budget=8)
    shown.session.pause()
    shown.window.pump(lambda: shown.session.state == "paused" and "visited" in shown.roles())
    shown.window.delete(shown.item("visited"))
    assert "visited" not in shown.roles()
    shown.session.resume()
    shown.finish()
    assert shown.session.outcome.ending == "finished"
    assert shown.roles() == EVERYTHING - {"visited"}
    assert shown.window.model.transaction_count == 0


def test_a_window_that_closes_during_the_run_leaves_no_transaction(shown: Shown) -> None:
    shown.microscope.before = lambda _: time.sleep(0.05)
    shown.begin(budget=10)
    shown.window.pump(lambda: "pattern" in shown.roles())
    shown.display.close(window_closing=True)
    assert shown.window.model.transaction_count == 0
    shown.session.leave()
    assert shown.session.wait(20)


def test_a_change_in_a_pause_shows_after_a_refresh(shown: Shown) -> None:
    from dkl_core.goal import Goal

    shown.microscope.before = lambda _: time.sleep(0.05)
    shown.begin(budget=30)
    shown.window.pump(lambda: "acquisition" in shown.roles())
    shown.session.pause()
    shown.window.pump(lambda: shown.session.state == "paused")
    shown.session.call(lambda experiment: experiment.change(goal=Goal("minimise")))
    shown.display.refresh()
    shown.window.pump(lambda: shown.item("acquisition").metadata["dkl"]["settings"]["goal"]["direction"] == "minimise")
    shown.session.stop()
    shown.finish()


def test_what_was_shown_survives_reopening_the_project(tmp_path: Path) -> None:
    with file_window(tmp_path / "swift") as window:
        shown = Shown(window, tmp_path)
        shown.begin()
        shown.finish()
        before = {role: np.array(shown.item(role).data) for role in EVERYTHING}
        del shown
    with file_window(tmp_path / "swift") as window:
        after = {item.metadata["dkl"]["role"]: item for item in window.model.data_items}
        assert set(after) == EVERYTHING
        for role, values in before.items():
            np.testing.assert_array_equal(np.asarray(after[role].data), values)
        assert after["mean"].metadata["dkl"]["measured"] == 6
        assert after["mean"].dimensional_calibrations[0].units == "nm"
        del after
