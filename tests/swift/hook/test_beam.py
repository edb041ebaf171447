"""The beam: blanked or parked, and what happens when the blanker is broken."""

from __future__ import annotations

import logging

import pytest
from nion.utils import Geometry

from dkl_core.errors import InstrumentError
from nionswift_plugin.dkl.acquisition.beam import Beam, BlankerError
from nionswift_plugin.dkl.acquisition.settings import BeamSettings
from tests.swift.hook.fakes import FakeStem, as_stem

PARKED = Geometry.FloatPoint(y=0.0, x=0.0)
SITE = Geometry.FloatPoint(y=0.3, x=0.6)


def beam_of(fake: FakeStem, **settings: object) -> Beam:
    return Beam(as_stem(fake), BeamSettings(**settings))  # type: ignore[arg-type]


def test_the_blanker_opens_and_closes() -> None:
    stem = FakeStem()
    beam = beam_of(stem)
    beam.close()
    assert beam.is_closed
    beam.open()
    assert beam.is_open
    assert not beam.is_closed


def test_the_beam_is_closed_after_an_exception() -> None:
    stem, told = FakeStem(), list[float]()
    with pytest.raises(ZeroDivisionError), beam_of(stem).on_sample(told.append):
        _ = 1 / int(stem.is_blanked)
    assert stem.is_blanked
    assert len(told) == 1


def test_the_time_on_the_sample_is_told() -> None:
    stem, told, now = FakeStem(), list[float](), [10.0]
    beam = Beam(as_stem(stem), BeamSettings(), clock=lambda: now[0])
    with beam.on_sample(told.append):
        now[0] = 10.25
    assert told == [0.25]


def test_a_blanker_that_admits_not_to_open_is_told_without_alarm() -> None:
    stem = FakeStem({"C_Blank": 1.0})
    beam = beam_of(stem)
    stem.obeys, stem.admits = False, True
    with pytest.raises(BlankerError, match="does not open"):
        beam.open()
    with pytest.raises(BlankerError, match="it reads as blanked"):
        beam.close()


@pytest.mark.parametrize("admits", [True, False])
def test_a_blanker_that_stays_open_parks_the_probe_and_is_loud(admits: bool, caplog: pytest.LogCaptureFixture) -> None:
    stem = FakeStem()
    beam = beam_of(stem)
    stem.probe_position, stem.obeys, stem.admits = SITE, False, admits
    with caplog.at_level(logging.CRITICAL), pytest.raises(BlankerError, match="THE BEAM IS ON THE SAMPLE"):
        beam.close()
    assert stem.probe_position == PARKED
    assert stem.switched == [1.0, 1.0, 1.0]
    assert "THE BEAM IS ON THE SAMPLE" in caplog.text


def test_a_blanker_that_raises_parks_the_probe() -> None:
    stem = FakeStem()
    beam = beam_of(stem)
    stem.probe_position, stem.raises = SITE, True
    with pytest.raises(BlankerError):
        beam.close()
    assert stem.probe_position == PARKED


def test_a_blanker_that_stays_closed_is_told() -> None:
    stem = FakeStem({"C_Blank": 1.0})
    beam = beam_of(stem)
    stem.obeys = False
    with pytest.raises(BlankerError, match="does not open"), beam.on_sample(lambda _: None):
        pytest.fail("nothing may be exposed")
    assert stem.is_blanked


class Reluctant(FakeStem):
    """Obeys when it is asked again."""

    def SetValAndConfirm(self, name: str, value: float, tolerance: float, timeout_ms: int) -> bool:  # noqa: N802
        self.obeys, self.admits = len(self.switched) % 2 == 1, True
        return super().SetValAndConfirm(name, value, tolerance, timeout_ms)


def test_a_blanker_that_has_to_be_asked_again_is_told() -> None:
    stem, told = Reluctant(), list[str]()
    beam = Beam(as_stem(stem), BeamSettings(), tell=told.append)
    beam.close()
    assert stem.is_blanked
    assert stem.probe_position == PARKED
    beam.open()
    assert not stem.is_blanked
    assert ["closed only" in text or "opened only" in text for text in told] == [True, True]


def test_without_a_blanker_the_probe_is_parked() -> None:
    stem = FakeStem({})
    beam = beam_of(stem, park=(0.1, 0.9))
    assert not beam.has_blanker
    with beam.on_sample(lambda _: None):
        stem.set_probe_position(SITE)
    assert stem.probe_position == Geometry.FloatPoint(y=0.1, x=0.9)
    assert beam.is_closed


def test_the_parking_position_may_be_that_of_swift() -> None:
    stem = FakeStem({})
    stem.probe_position = SITE
    beam_of(stem, park=None).close()
    assert stem.probe_position is None


def test_after_the_end_nothing_opens_the_beam() -> None:
    stem = FakeStem()
    beam = beam_of(stem)
    assert beam.shut() == ""
    with pytest.raises(InstrumentError, match="stays off the sample"):
        beam.open()
    assert stem.is_blanked


def test_the_end_does_not_raise() -> None:
    stem = FakeStem()
    beam = beam_of(stem)
    stem.raises = True
    assert "does not close" in beam.shut()


def test_another_control_with_other_values_can_be_the_blanker() -> None:
    stem = FakeStem({"Blank": 5.0})
    beam = beam_of(stem, blanker="Blank", blanked=-1.0, open=5.0)
    beam.close()
    assert stem.controls["Blank"] == -1.0
    assert beam.is_closed
