"""The dose account."""

from __future__ import annotations

import numpy as np
import pytest

from dkl_core.errors import InstrumentError
from nionswift_plugin.dkl.acquisition.dose import ELEMENTARY_CHARGE_C, NOTHING, Charge, DoseAccount, Region
from nionswift_plugin.dkl.acquisition.position import FrameGeometry

FRAME = FrameGeometry((40, 40), 20.0)
PER_SECOND = 30e-12 / ELEMENTARY_CHARGE_C


def account(probe_nm: float = 0.1) -> DoseAccount:
    return DoseAccount(FRAME, 30.0, probe_nm)


def test_electrons_are_current_times_time() -> None:
    assert account().add_pattern((0.5, 0.5), 0.02).electrons == pytest.approx(3.745e6, rel=1e-3)


def test_a_scan_spreads_its_electrons_evenly() -> None:
    book = account()
    charge = book.add_scan(0.5, Region())
    assert charge.dose == pytest.approx(PER_SECOND * 0.5 / 200**2)
    np.testing.assert_allclose(book.map_e_per_a2, charge.dose)


def test_a_subscan_exposes_its_part_only() -> None:
    book = account()
    charge = book.add_scan(0.1, Region((0.25, 0.5), (0.5, 0.5)))
    exposed = book.map_e_per_a2 > 0
    assert exposed.sum() == 20 * 20
    assert exposed[:20, 10:30].all()
    np.testing.assert_allclose(book.map_e_per_a2[exposed], charge.dose)


def test_a_small_probe_exposes_a_pixel() -> None:
    book = account()
    charge = book.add_pattern(FRAME.to_fractions((7, 31)), 0.02)
    assert np.argwhere(book.map_e_per_a2).tolist() == [[7, 31]]
    assert book.map_e_per_a2[7, 31] == pytest.approx(charge.dose)


def test_a_large_probe_exposes_a_disc() -> None:
    book = account(probe_nm=5.0)
    charge = book.add_pattern(FRAME.to_fractions((20, 20)), 0.02)
    exposed = book.map_e_per_a2 > 0
    assert exposed.sum() == pytest.approx(np.pi * 25, rel=0.05)
    np.testing.assert_allclose(book.map_e_per_a2[exposed], charge.dose, rtol=0.05)


def test_every_electron_is_on_the_map() -> None:
    book = account()
    book.add_scan(0.5, Region())
    book.add_scan(0.1, Region((0.3, 0.6), (0.25, 0.25)))
    for place in ((0.1, 0.1), (0.0, 1.0), (0.52, 0.48)):
        book.add_pattern(place, 0.02)
    assert book.map_e_per_a2.sum() * 5**2 == pytest.approx(book.electrons)
    assert book.electrons == pytest.approx(PER_SECOND * 0.66)


def test_a_place_remembers_all_it_received() -> None:
    book = account()
    survey = book.add_scan(0.5, Region())
    first = book.add_pattern((0.5, 0.5), 0.02)
    second = book.add_pattern((0.5, 0.5), 0.03)
    assert book.at((0.5, 0.5)) == pytest.approx(sum(one.dose or 0.0 for one in (survey, first, second)))


def test_asking_for_a_cost_costs_nothing() -> None:
    book = account()
    assert book.cost_of_pattern(0.02) == account().add_pattern((0.5, 0.5), 0.02)
    assert book.electrons == 0


def test_without_a_current_only_time_is_known() -> None:
    book = DoseAccount(FRAME, None, 0.1)
    assert book.add_pattern((0.5, 0.5), 0.02) == Charge(0.02, None, None)
    assert book.electrons is None
    assert book.at((0.5, 0.5)) is None


def test_an_exposure_that_would_exceed_the_limit_is_refused() -> None:
    book = DoseAccount(FRAME, 30.0, 0.1, limit=8e6)
    book.permit(book.add_pattern((0.5, 0.5), 0.02))
    book.add_pattern((0.5, 0.5), 0.02)
    with pytest.raises(InstrumentError, match=r"takes about 3.74e\+06 electrons, and 7.49e\+06 of the 8e\+06"):
        book.permit(book.cost_of_pattern(0.02))


def test_charges_add_up() -> None:
    assert Charge(1.0, 2.0, 3.0) + Charge(0.5, 1.0, 1.5) + NOTHING == Charge(1.5, 3.0, 4.5)
    assert Charge(1.0, 2.0, 3.0) + Charge(1.0) == Charge(2.0, None, None)
