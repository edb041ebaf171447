"""The microscope's settings as ordinary controls of Swift."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("nion.instrumentation", reason="Nion Swift is not installed (pip install .[swift])")
from dkl_core.errors import InputError
from nionswift_plugin.dkl_simulator.controls import REALISM_PARTS
from nionswift_plugin.dkl_simulator.instrument import SimulatedInstrument


@pytest.fixture
def instrument(places_microscope: Callable[..., Any]) -> Iterator[SimulatedInstrument]:
    microscope = places_microscope()
    made = SimulatedInstrument(lambda: microscope, microscope.optics)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EHT", 60e3),
        ("ConvergenceAngle", 0.025),
        ("C10", -12e-9),
        ("C12.a", 3e-9),
        ("C12.b", -2e-9),
        ("C30", 1e-3),
        ("BeamCurrent", 50e-12),
        ("C_Blank", 1.0),
        *((f"dkl_{part}", 1.0) for part in REALISM_PARTS),
    ],
)
def test_a_control_reads_what_was_set(instrument: SimulatedInstrument, name: str, value: float) -> None:
    assert instrument.SetValAndConfirm(name, value, 1.0, 1000)
    assert instrument.TryGetVal(name) == (True, pytest.approx(value))


def test_the_lenses_are_in_the_units_of_swift(instrument: SimulatedInstrument) -> None:
    instrument.SetVal("C10", -20e-9)
    instrument.SetVal("C30", 2e-3)
    instrument.SetVal("C12.a", 5e-9)
    optics = instrument.ready().optics
    assert (optics.defocus_nm, optics.c3_mm, optics.c12_nm[0]) == pytest.approx((20.0, 2.0, 5.0))


def test_current_and_blanker_take_effect_at_once(instrument: SimulatedInstrument) -> None:
    instrument.SetVal("BeamCurrent", 80e-12)
    instrument.SetVal("C_Blank", 1.0)
    assert instrument.microscope.current_pa == pytest.approx(80.0)
    assert instrument.microscope.blanked


def test_a_value_that_is_impossible_is_refused_and_changes_nothing(instrument: SimulatedInstrument) -> None:
    before = instrument.GetVal("EHT")
    for value in (-5.0, float("nan"), 1e12):
        assert not instrument.SetVal("EHT", value)
    assert instrument.GetVal("EHT") == before
    assert not instrument.SetVal("BeamCurrent", -1e-12)


def test_what_is_measured_cannot_be_set(instrument: SimulatedInstrument) -> None:
    assert instrument.TryGetVal("dkl_electrons")[0]
    assert not instrument.SetVal("dkl_electrons", 0.0)


def test_an_unknown_control_does_not_exist(instrument: SimulatedInstrument) -> None:
    assert instrument.TryGetVal("Gun.Valve") == (False, None)
    assert instrument.GetVal("Gun.Valve", 7.0) == 7.0
    assert not instrument.SetVal("Gun.Valve", 1.0)
    with pytest.raises(InputError, match=r"Gun\.Valve"):
        instrument.GetVal("Gun.Valve")


def test_a_change_is_announced(instrument: SimulatedInstrument) -> None:
    heard: list[str] = []
    listener = instrument.property_changed_event.listen(heard.append)
    instrument.SetValDelta("C10", 1e-9)
    listener.close()
    assert heard == ["C10"]


def test_the_microscope_is_built_when_it_is_needed(places_microscope: Callable[..., Any]) -> None:
    built: list[Any] = []

    def make() -> Any:
        built.append(places_microscope())
        return built[0]

    made = SimulatedInstrument(make, places_microscope().optics)
    made.SetVal("EHT", 80e3)
    made.set_probe_position(None)
    assert not built
    assert made.ready().optics.energy_ev == 80e3
    made.close()
