"""A first experiment, click by click, each with its effect on the screen or on the run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.swift.app.application import SwiftApplication

SITES, STEERED_AT = 80, 24
RUN_S = 150.0
STRUCTURE = "Find unusual structure"
SURVEY = {"survey_px": "192", "fov_nm": "10", "dwell_us": "40"}
Seen = dict[str, Any]
Shoot = Callable[[str], object]


def first_experiment(swift: SwiftApplication, shoot: Shoot) -> None:
    """From an empty project to the figure of a run.

    Args:
        swift: just started, with a new profile.
        shoot: keeps a picture of the screen under a name.

    Raises:
        StageError: a click had no effect.
    """
    _ready(swift)
    _survey(swift)
    _try_out(swift, shoot)
    shoot("survey")
    _start(swift)
    shoot("running")
    _send_by_hand(swift)
    shoot("by_hand")
    _step(swift)
    _finish(swift)
    shoot("panel")
    _figure(swift)
    shoot("figure")
    swift.press("workspace")
    swift.until("the maps again", _shows_run)
    _leave(swift)


def reopened(swift: SwiftApplication, shoot: Shoot) -> None:
    """The same project again, on another screen.

    Raises:
        StageError: what the run had shown is gone.
    """
    swift.until("the data items of the run", lambda seen: len(_of_run(seen)) >= len(ROLES))
    swift.choose_menu("DKL", "4D-STEM Experiment")
    swift.until("the maps of the run in the workspace", _shows_run)
    swift.quiet_frame()
    shoot("4k")
    _leave(swift)


ROLES = ("visited sites in order", "predicted", "uncertainty", "where to measure next", "last pattern")


def _ready(swift: SwiftApplication) -> None:
    swift.choose_menu("DKL", "Simulated Microscope")
    swift.choose_menu("DKL", "4D-STEM Experiment")
    swift.until("the panel", lambda seen: seen["panel"])
    swift.until("six views", lambda seen: len(seen["displays"]) == 6)
    swift.until(
        "the simulated microscope on the panel",
        lambda seen: any("Simulated" in title for title in seen["widgets"]["instrument_combo"]["choices"]),
    )


def _survey(swift: SwiftApplication) -> None:
    swift.press("frame")
    swift.until("the frame's fields", lambda seen: seen["widgets"]["fov_nm_edit"]["visible"])
    for field, text in SURVEY.items():
        swift.type(field, text)
    swift.press("acquire")
    # the microscope is built for the first frame, which takes a while on a busy machine
    swift.until("the sites on the survey", lambda seen: _is_idle(seen) and seen["run"]["sites"], RUN_S)
    swift.press("frame")
    swift.until("the frame's fields to fold", lambda seen: not seen["widgets"]["fov_nm_edit"]["visible"])


def _try_out(swift: SwiftApplication, shoot: Shoot) -> None:
    swift.press("try")
    swift.until("the values of five sites", lambda seen: _is_idle(seen) and "mrad" in _text(seen, "trial"), RUN_S)
    swift.press("live")
    swift.until("the value of the live pattern", lambda seen: "mrad" in _text(seen, "live"))
    for goal in ("Explore the unknown", STRUCTURE, "Find the strongest"):
        swift.choose("aim", goal)
        swift.until(f"the goal {goal}", lambda seen, goal=goal: _chosen(seen, "aim") == goal)
        swift.until(
            "the controls of that goal alone",
            lambda seen, goal=goal: seen["widgets"]["workflow_combo"]["visible"] == (goal == STRUCTURE),
        )
        if goal == STRUCTURE:
            swift.quiet_frame()
            shoot("structure")
    before = _text(swift.seen(), "estimate")
    swift.type("sites", str(SITES))
    swift.until("another estimate", lambda seen: _text(seen, "estimate") not in ("", before))
    swift.quiet_frame()


def _start(swift: SwiftApplication) -> None:
    swift.press("start")
    swift.until("the model's first sites", lambda seen: seen["run"]["measured"] >= STEERED_AT, RUN_S)


def _send_by_hand(swift: SwiftApplication) -> None:
    """Pause, reject, undo, and send the next measurement somewhere by a click on the image."""
    swift.press("pause")
    swift.until("the pause", lambda seen: seen["run"]["phase"] == "paused")
    swift.press("override")
    for button, says in (("reject", "rejected"), ("undo", "used again")):
        swift.press(button)
        swift.until(f"{says!r}", lambda seen, says=says: says in seen["run"]["message"])
    swift.press("click")
    swift.until("the tick", lambda seen: seen["widgets"]["click_check"]["checked"])
    swift.click_display("dkl-visited", 0.3, 0.7)
    swift.until("the clicked site to come next", lambda seen: "comes next" in seen["run"]["message"])
    swift.quiet_frame()


def _step(swift: SwiftApplication) -> None:
    measured = swift.seen()["run"]["measured"]
    swift.press("step")
    swift.until("one more measurement", lambda seen: seen["run"]["measured"] == measured + 1)
    swift.until("the pause after the step", lambda seen: seen["run"]["phase"] == "paused")


def _finish(swift: SwiftApplication) -> None:
    swift.press("override")
    swift.press("pause")
    swift.until("all sites", lambda seen: _is_idle(seen) and seen["run"]["measured"] == SITES, RUN_S)
    swift.until("the end in words", lambda seen: "used up" in seen["run"]["message"])
    swift.until("the maps in the workspace", _shows_run)
    swift.quiet_frame()


def _figure(swift: SwiftApplication) -> None:
    swift.press("figure")
    swift.until(
        "the figure on the screen", lambda seen: any(each["title"].startswith("figure") for each in _views(seen)), RUN_S
    )
    swift.quiet_frame()


def _leave(swift: SwiftApplication) -> None:
    swift.choose_menu("File", "Exit", leaves=True)
    swift.until_ended()


def _is_idle(seen: Seen) -> bool:
    return seen["run"]["phase"] == "idle" and seen["run"]["settled"]


def _text(seen: Seen, name: str) -> str:
    text: str = seen["widgets"][f"{name}_label"]["text"]
    return text


def _chosen(seen: Seen, name: str) -> str:
    combo = seen["widgets"][f"{name}_combo"]
    title: str = combo["choices"][combo["index"]]
    return title


def _views(seen: Seen) -> list[Seen]:
    return list(seen["displays"].values())


def _shows_run(seen: Seen) -> bool:
    titles = " ".join(each["title"] for each in _views(seen))
    return all(role in titles for role in ROLES)


def _of_run(seen: Seen) -> list[str]:
    return [title for title in seen["items"] if any(title.startswith(role) for role in ROLES)]
