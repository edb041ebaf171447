"""One experiment in its thread, on a microscope without Swift."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dkl_core.errors import InputError, InstrumentError, MeasurementError
from dkl_core.record import read_run
from nionswift_plugin.dkl.acquisition.notes import Note
from nionswift_plugin.dkl.listening import Listener, Message
from nionswift_plugin.dkl.plan import NewRun
from nionswift_plugin.dkl.session import Session
from tests.swift.session.fakes import PATTERN, FakeMicroscope, settings, survey

SOON_S = 120.0


class Heard:
    """What a session told."""

    def __init__(self) -> None:
        self.states: list[str] = []
        self.messages: list[Message] = []
        self.measured: list[int] = []

    @property
    def listener(self) -> Listener:
        return Listener(
            state=self.states.append,
            message=self.messages.append,
            progress=lambda at: self.measured.append(at.told.site.index),
        )

    @property
    def warnings(self) -> list[str]:
        return [message.text for message in self.messages if message.level == "warning"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.h5"


def session_of(
    microscope: FakeMicroscope, path: Path, heard: Heard | None = None, *, budget: int = 6, **options: Any
) -> Session:
    return Session(
        microscope, NewRun(path, settings(budget), **options), listener=(heard or Heard()).listener, refit="wait"
    )


def finished(session: Session) -> Session:
    assert session.wait(SOON_S)
    return session


def recorded_patterns(path: Path) -> list[np.ndarray]:
    with read_run(path) as contents:
        return [np.asarray(contents.raw(number)) for number in range(len(contents.measurements))]


def on_number(number: int, action: Callable[[], object]) -> Callable[[int], object]:
    return lambda at: action() if at == number else None


def raising(error: Exception) -> Callable[[], object]:
    def act() -> None:
        raise error

    return act


def test_a_session_measures_its_budget_and_gives_the_microscope_back(path: Path) -> None:
    microscope, heard = FakeMicroscope(), Heard()
    session = session_of(microscope, path, heard)
    session.start()
    assert finished(session).outcome is not None
    assert session.outcome.ending == "finished"
    assert len(heard.measured) == 6
    assert heard.states == ["preparing", "running", "ended"]
    assert microscope.log == ["taken", "survey", "parked", "given back"]


def test_every_pattern_is_in_the_file(path: Path) -> None:
    session = session_of(FakeMicroscope(), path)
    session.start()
    finished(session)
    patterns = recorded_patterns(path)
    assert [pattern[0, 0] for pattern in patterns] == list(range(6))


def test_what_happened_beside_the_measurements_is_in_the_file(path: Path) -> None:
    session = session_of(FakeMicroscope(), path)
    session.start()
    finished(session)
    with read_run(path) as contents:
        notes = [event.data for event in contents.events() if event.kind == "note"]
    assert [(note["kind"], note["electrons"]) for note in notes] == [("dose", 1000.0)]


def test_a_survey_that_was_taken_before_is_not_taken_again(path: Path) -> None:
    microscope, image = FakeMicroscope(), survey()
    session = session_of(microscope, path, survey=image)
    session.start()
    finished(session)
    assert microscope.adopted is image
    assert "survey" not in microscope.log


def test_a_paused_session_parks_and_goes_on_when_told(path: Path) -> None:
    microscope, heard = FakeMicroscope(), Heard()
    session = session_of(microscope, path, heard)
    microscope.before = on_number(2, session.pause)
    session.start()
    session.call(lambda _: None).result(SOON_S)
    while session.state != "paused":
        session.call(lambda _: None).result(SOON_S)
    assert len(heard.measured) == 3
    assert microscope.log[-1] == "parked"
    session.resume()
    finished(session)
    assert len(heard.measured) == 6
    assert heard.states == ["preparing", "running", "paused", "running", "ended"]


def test_a_step_measures_one_site(path: Path) -> None:
    microscope, heard = FakeMicroscope(), Heard()
    session = session_of(microscope, path, heard)
    session.start(paused=True)
    session.step()
    while session.state != "paused" or not heard.measured:
        session.call(lambda _: None).result(SOON_S)
    assert len(heard.measured) == 1
    session.stop()
    finished(session)
    assert len(heard.measured) == 1


def test_stopping_ends_after_the_present_site(path: Path) -> None:
    microscope, heard = FakeMicroscope(), Heard()
    session = session_of(microscope, path, heard)
    microscope.before = on_number(1, lambda: session.stop("seen enough"))
    session.start()
    outcome = finished(session).outcome
    assert outcome is not None
    assert (outcome.ending, outcome.reason) == ("finished", "seen enough")
    assert len(heard.measured) == 2


def test_a_paused_session_can_be_stopped(path: Path) -> None:
    session = session_of(FakeMicroscope(), path)
    session.start(paused=True)
    session.stop()
    assert finished(session).outcome.ending == "finished"


def test_leaving_ends_at_once_and_the_file_can_be_resumed(path: Path) -> None:
    microscope = FakeMicroscope()
    session = session_of(microscope, path)
    microscope.before = on_number(4, session.leave)
    session.start()
    outcome = finished(session).outcome
    assert outcome is not None
    assert outcome.ending == "left"
    assert microscope.log[-2:] == ["parked", "given back"]

    again, heard = FakeMicroscope(), Heard()
    resumed = Session(again, path, listener=heard.listener, refit="wait")
    resumed.start()
    assert finished(resumed).outcome.ending == "finished"
    assert len(heard.measured) == 2
    assert again.adopted is not None
    np.testing.assert_array_equal(again.adopted.values, survey().values)
    assert len(recorded_patterns(path)) == 6


def test_a_paused_session_that_is_left_can_be_resumed(path: Path) -> None:
    session = session_of(FakeMicroscope(), path)
    session.start(paused=True)
    session.leave()
    assert finished(session).outcome.ending == "left"
    resumed = Session(FakeMicroscope(), path, refit="wait")
    resumed.start()
    assert finished(resumed).outcome.ending == "finished"


def test_a_failed_site_is_told_and_the_run_goes_on(path: Path) -> None:
    microscope, heard = FakeMicroscope(), Heard()
    microscope.before = on_number(1, raising(MeasurementError("the frame was dropped")))
    session = session_of(microscope, path, heard)
    session.start()
    assert finished(session).outcome.ending == "finished"
    assert any("the frame was dropped" in text for text in heard.warnings)


@pytest.mark.parametrize("error", [InstrumentError("the camera hangs"), RuntimeError("the camera hangs")])
def test_an_error_ends_the_run_says_why_and_keeps_what_was_measured(path: Path, error: Exception) -> None:
    microscope, heard = FakeMicroscope(), Heard()
    microscope.before = on_number(3, raising(error))
    session = session_of(microscope, path, heard)
    session.start()
    outcome = finished(session).outcome
    assert outcome is not None
    assert outcome.ending == "failed"
    assert "the camera hangs" in outcome.reason
    assert [message.level for message in heard.messages] == ["error"]
    assert microscope.log[-2:] == ["parked", "given back"]
    for number, pattern in enumerate(recorded_patterns(path)):
        np.testing.assert_array_equal(pattern, PATTERN + number)


def test_trouble_on_giving_back_is_told(path: Path) -> None:
    microscope, heard = FakeMicroscope(), Heard()
    microscope.leaving_fails = "the beam may be on the sample"
    session = session_of(microscope, path, heard)
    session.start()
    outcome = finished(session).outcome
    assert outcome is not None
    assert outcome.ending == "failed"
    assert "the beam may be on the sample" in heard.messages[-1].text


def test_trouble_on_giving_back_does_not_hide_why_the_run_ended(path: Path) -> None:
    microscope, heard = FakeMicroscope(), Heard()
    microscope.before = on_number(1, raising(InstrumentError("the camera hangs")))
    microscope.leaving_fails = "the beam may be on the sample"
    session = session_of(microscope, path, heard)
    session.start()
    finished(session)
    assert heard.messages[-1].text == "the camera hangs; the beam may be on the sample"


def test_trouble_that_was_put_right_is_told(path: Path) -> None:
    microscope, heard = FakeMicroscope(), Heard()
    microscope.before = on_number(2, lambda: microscope.notes.append(Note("trouble", {"what": "the probe was moved"})))
    session = session_of(microscope, path, heard)
    session.start()
    finished(session)
    assert heard.warnings == ["the probe was moved"]


def test_trouble_before_the_survey_is_told(path: Path) -> None:
    microscope, heard = FakeMicroscope(), Heard()
    microscope.notes.append(Note("trouble", {"what": "a test frame was dropped"}))
    microscope.image = raising(InstrumentError("the scan hangs"))  # type: ignore[method-assign, assignment]
    session = session_of(microscope, path, heard)
    session.start()
    finished(session)
    assert heard.warnings == ["a test frame was dropped"]


def test_trouble_on_giving_back_that_was_put_right_is_told(path: Path) -> None:
    microscope, heard = FakeMicroscope(), Heard()
    microscope.on_leaving = Note("trouble", {"what": "the blanker closed only when it was asked again"})
    session = session_of(microscope, path, heard)
    session.start()
    assert finished(session).outcome.ending == "finished"
    assert heard.warnings == ["the blanker closed only when it was asked again"]


def test_a_listener_that_fails_does_not_disturb_the_run(path: Path) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("the window is gone")

    session = Session(FakeMicroscope(), NewRun(path, settings()), listener=Listener(progress=fail, state=fail))
    session.start()
    assert finished(session).outcome.ending == "finished"


def test_the_experiment_can_be_changed_between_two_sites(path: Path) -> None:
    heard = Heard()
    session = session_of(FakeMicroscope(), path, heard)
    session.start(paused=True)
    wanted = session.call(lambda experiment: experiment.ask_for(12, 12))
    session.step()
    index = wanted.result(SOON_S).index
    while not heard.measured:
        session.call(lambda _: None).result(SOON_S)
    assert heard.measured[0] == index
    session.leave()
    finished(session)


def test_what_an_order_raises_belongs_to_who_gave_it(path: Path) -> None:
    session = session_of(FakeMicroscope(), path)
    session.start(paused=True)
    with pytest.raises(InputError):
        session.call(lambda experiment: experiment.ask_for(float("nan"), 0)).result(SOON_S)
    session.resume()
    assert finished(session).outcome.ending == "finished"


def test_the_experiment_can_be_read_when_the_session_is_over(path: Path) -> None:
    session = session_of(FakeMicroscope(), path)
    session.start()
    finished(session)
    assert session.call(lambda experiment: len(experiment.told)).result(0) == 6


def test_a_session_starts_once(path: Path) -> None:
    session = session_of(FakeMicroscope(), path)
    session.start()
    with pytest.raises(InputError, match="started already"):
        session.start()
    finished(session)
