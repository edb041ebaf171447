"""The microscope over the real physics."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dkl_core.stem.detectors import DetectorSettings
from dkl_core.stem.microscope import VirtualMicroscope
from dkl_core.stem.realism import Realism
from dkl_core.stem.samples import Sample, build_sample
from dkl_core.stem.scan import ScanFrame
from dkl_core.stem.settings import SampleSettings
from tests.stem.fakes import Clock

DETECTOR = DetectorSettings(shape=(64, 64))


@pytest.fixture(scope="module")
def sample() -> Sample:
    return build_sample(SampleSettings(kind="graphene_si", field_nm=4.0))


def made(sample: Sample, realism: Realism, clock: Clock | None = None) -> VirtualMicroscope:
    return VirtualMicroscope(sample, detector=DETECTOR, realism=realism, clock=clock or Clock())


def test_an_ideal_microscope_adds_nothing(sample: Sample) -> None:
    microscope = made(sample, Realism.ideal())
    microscope.place_probe(0.3, 0.4, at=0.0)
    counts = microscope.expose(0.01, 0.0, 0.01)
    np.testing.assert_allclose(counts / counts.sum() * 1.0, _normalised(microscope), rtol=1e-4, atol=1e-9)


def _normalised(microscope: VirtualMicroscope) -> np.ndarray:
    pattern = microscope.scatterer.pattern(0.3, 0.4)
    return np.asarray(pattern / pattern.sum())


def test_damage_shows_in_the_next_image(sample: Sample) -> None:
    clock = Clock()
    damage = replace(Realism().damage, scale=300.0)
    microscope = made(sample, replace(Realism.ideal(), damage=damage), clock)
    microscope.blank(True, at=0.0)
    frame = ScanFrame((64, 64), 4.0, pixel_time_s=1e-4)
    microscope.blank(False, at=1.0)
    before = microscope.scan(frame, begin=1.0)
    clock.now = 1.0 + frame.seconds
    removed = [event for event in microscope.events if event.kind == "remove"]
    assert removed
    after = microscope.scan(frame, begin=clock.now)
    row, col = frame.from_scan_nm(*np.array(removed[0].position_nm))
    at = np.clip(round(float(row)), 0, 63), np.clip(round(float(col)), 0, 63)
    assert after[at] < 0.7 * before[at]


def test_a_finite_source_weakens_the_deflection(sample: Sample) -> None:
    clean = Realism.ideal()
    wide = replace(clean, source=replace(Realism().source, sigma_nm=0.05))
    y, x = np.meshgrid(np.linspace(-1, 1, 50), np.linspace(-1, 1, 50), indexing="ij")
    point, blurred = (made(sample, realism).truth("com_magnitude", y, x) for realism in (clean, wide))
    assert blurred.max() < 0.6 * point.max()
