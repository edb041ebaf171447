"""The simulated surface as an instrument."""

from dataclasses import replace

import numpy as np
import pytest

from dkl_core.errors import InputError
from dkl_core.frame import Frame
from dkl_core.measurement import Site
from dkl_core.patches import PatchSettings, make_patches
from dkl_core.sample import RealismSettings, SimulatedSTM, SurfaceSettings

SMALL = SurfaceSettings(shape=(32, 32))
PART = Frame.centred((20.0, 30.0), (10.0, 10.0), (20, 20))
SITE = Site(0, 3, 7)


@pytest.fixture
def stm():
    return SimulatedSTM(SMALL.ideal())


def spectrum(stm, site=SITE):
    return stm.measure(site).raw[1]


def test_sites_are_counted_in_the_whole_sample_at_first(stm):
    place = stm.image().to_nm((3, 7))
    assert spectrum(stm) == pytest.approx(stm.surface.ideal_spectra(place)[0])


def test_sites_are_counted_in_the_frame_that_was_surveyed_last(stm):
    survey = stm.survey(PART)
    assert survey.size_nm == pytest.approx((10.0, 10.0))
    assert spectrum(stm) == pytest.approx(stm.surface.ideal_spectra(PART.to_nm((3, 7)))[0])


def test_the_image_of_the_whole_sample_is_scanned_once_and_leads_back_to_it(stm):
    whole, before = stm.image(), spectrum(stm)
    stm.survey(PART)
    assert stm.image() is whole
    assert spectrum(stm) == pytest.approx(before)


def test_it_returns_to_a_frame_without_scanning_it(stm):
    survey = stm.survey(PART)
    inside = spectrum(stm)
    another = SimulatedSTM(SMALL.ideal())
    another.return_to(survey)
    assert spectrum(another) == pytest.approx(inside)


def test_the_truth_of_an_earlier_frame_can_still_be_asked_for(stm):
    sites = make_patches(stm.image(), PatchSettings(window=8, stride=8)).sites
    before = stm.truth(sites)
    whole = stm.image()
    stm.survey(PART)
    assert np.array_equal(stm.truth(sites, whole), before, equal_nan=True)
    assert not np.array_equal(stm.truth(sites), before, equal_nan=True)


def test_a_survey_takes_its_time():
    realism = replace(RealismSettings.none(), drift_nm_per_min=(0.0, 6.0), line_time_s=3.0)
    stm = SimulatedSTM(replace(SMALL, realism=realism))
    stm.survey(PART)
    late, still = spectrum(stm), SimulatedSTM(SMALL.ideal())
    place = np.add(PART.to_nm((3, 7)), (0.0, 6.0))  # twenty lines take a minute
    assert late == pytest.approx(still.surface.ideal_spectra(place)[0])


def test_a_frame_beside_the_sample_is_not_surveyed(stm):
    with pytest.raises(InputError, match="leaves the sample"):
        stm.survey(Frame((45.0, 45.0), (10.0, 10.0), (20, 20)))
