from __future__ import annotations

import itertools

import numpy as np
import pytest

from dkl_core.stem.camera import CameraGrid
from dkl_core.stem.modes import source_modes
from dkl_core.stem.optics import Optics
from dkl_core.stem.probe import Probe
from dkl_core.stem.realism import SourceSettings
from dkl_core.stem.samples import Sample, build_sample
from dkl_core.stem.scatterer import Scatterer
from dkl_core.stem.settings import SampleSettings
from dkl_core.stem.source import SourceBlur, averaged, source_points

SIGMA_NM = 0.03


@pytest.fixture(scope="module")
def sample() -> Sample:
    return build_sample(SampleSettings(kind="twisted_bilayer", field_nm=4.0))


@pytest.fixture(scope="module")
def scatterer(sample: Sample) -> Scatterer:
    return Scatterer(sample, Optics(), shape=(128, 128), source_nm=SIGMA_NM)


def com_mrad(scatterer: Scatterer, pattern: np.ndarray) -> np.ndarray:
    rows, cols = np.indices(pattern.shape)
    centre = scatterer.centre_px
    moments = np.array([((rows - centre[0]) * pattern).sum(), ((cols - centre[1]) * pattern).sum()])
    return moments / pattern.sum() * scatterer.mrad_per_px


@pytest.mark.parametrize("sigma_nm", [0.03, 2.0])
def test_the_points_have_the_moments_of_a_gaussian(sigma_nm: float) -> None:
    y, x, weight = np.array(source_points(sigma_nm)).T
    y, x = y / sigma_nm, x / sigma_nm
    assert weight.sum() == pytest.approx(1)
    assert (weight @ y, weight @ x, weight @ (x * y)) == pytest.approx((0, 0, 0), abs=1e-12)
    assert (weight @ y**2, weight @ x**2) == pytest.approx((1, 1))
    assert (weight @ x**4, weight @ (x * y) ** 2) == pytest.approx((3, 1))


def test_the_points_of_a_wide_source_have_its_sixth_moments_too() -> None:
    y, x, weight = np.array(source_points(1.0)).T
    assert (weight @ x**6, weight @ (x**4 * y**2)) == pytest.approx((15, 3))


def annular_bright_field(scatterer: Scatterer, pattern: np.ndarray) -> float:
    rows, cols = np.indices(pattern.shape)
    angle = np.hypot(rows - scatterer.centre_px[0], cols - scatterer.centre_px[1])
    disc = scatterer.optics.semiangle_mrad / scatterer.mrad_per_px
    inside = np.clip(angle - disc / 2 + 0.5, 0, 1) * np.clip(disc - angle + 0.5, 0, 1)
    return float((pattern * inside).sum() / pattern.sum())


def fine_average(scatterer: Scatterer, y: float, x: float) -> np.ndarray:
    at, weights = np.polynomial.hermite_e.hermegauss(5)
    weights = weights / weights.sum()
    places = itertools.product(zip(at * SIGMA_NM, weights, strict=True), repeat=2)
    return np.sum([u * v * scatterer.pattern(y + dy, x + dx) for (dy, u), (dx, v) in places], axis=0)


@pytest.fixture(scope="module")
def drawn(scatterer: Scatterer) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Patterns of a point source, quick averages, and averages of fine patterns, at some places."""
    blur = SourceBlur(scatterer, SourceSettings(sigma_nm=SIGMA_NM))
    places = np.random.default_rng(0).uniform(-1.5, 1.5, (16, 2)).tolist()
    return [(scatterer.pattern(*at), blur.pattern(*at), fine_average(scatterer, *at)) for at in places]


def test_the_quick_average_deflects_as_that_of_fine_patterns(scatterer: Scatterer, drawn) -> None:
    point, quick, exact = (
        np.array([com_mrad(scatterer, kind) for kind in kinds]) for kinds in zip(*drawn, strict=True)
    )
    assert np.std(point - exact) > 0.1
    assert np.sqrt(np.mean((quick - exact) ** 2)) < 0.01


def test_the_quick_average_has_the_annular_bright_field_of_fine_patterns(scatterer: Scatterer, drawn) -> None:
    point, quick, exact = (
        np.array([annular_bright_field(scatterer, kind) for kind in kinds]) for kinds in zip(*drawn, strict=True)
    )
    assert np.std(point - exact) > 0.2 * np.std(exact)
    assert np.std(quick - exact) < 0.12 * np.std(exact)
    assert np.abs(np.mean(quick - exact)) < 2e-4


def test_the_slow_average_is_that_of_fine_patterns(scatterer: Scatterer, drawn) -> None:
    y, x = np.random.default_rng(0).uniform(-1.5, 1.5, (16, 2))[0]
    slow = averaged(scatterer, SourceSettings(sigma_nm=SIGMA_NM), float(y), float(x))
    point, _, exact = drawn[0]
    assert np.abs(slow - exact).max() < 0.15 * np.abs(point - exact).max()
    off = averaged(scatterer, SourceSettings(on=False), float(y), float(x))
    np.testing.assert_array_equal(off, point)


@pytest.mark.parametrize("shape", [(64, 48), (96, 96)])
def test_cameras_of_other_sizes_see_the_same_average(sample: Sample, scatterer: Scatterer, shape) -> None:
    """A camera smaller than the disc, one that is not square, and one that bins."""
    other = Scatterer(sample, shape=shape, mrad_per_px=scatterer.mrad_per_px, lazy=True)
    whole = SourceBlur(scatterer, SourceSettings(sigma_nm=SIGMA_NM)).pattern(0.3, 0.2)
    part = SourceBlur(other, SourceSettings(sigma_nm=SIGMA_NM)).pattern(0.3, 0.2)
    rows, cols = (64 - size // 2 for size in shape)
    cut = whole[rows : rows + shape[0], cols : cols + shape[1]]
    assert np.abs(part - cut).max() < 0.01 * cut.max()
    small = Scatterer(sample, shape=(16, 32), mrad_per_px=scatterer.mrad_per_px, lazy=True)
    seen = SourceBlur(small, SourceSettings(sigma_nm=SIGMA_NM)).pattern(0.3, 0.2)
    assert np.abs(seen - whole[56:72, 48:80]).max() < 0.01 * whole.max()


def test_modes_add_up_to_the_aperture_of_the_probe() -> None:
    optics = Optics()
    probe = Probe(optics, CameraGrid.fitting(optics, (64, 64)))
    modes = source_modes(probe, 0.02, optics.wavelength_nm)
    strengths = (np.abs(probe.aperture * modes) ** 2).sum(axis=(1, 2))
    assert np.all(np.diff(strengths) <= 1e-9)
    assert 0.95 <= strengths.sum() <= 1.0
    overlap = (modes[0] * modes[1] * np.abs(probe.aperture) ** 2).sum()
    assert abs(overlap) < 1e-6


def test_blurred_patterns_keep_their_sum(scatterer: Scatterer) -> None:
    blurred = SourceBlur(scatterer, SourceSettings(sigma_nm=SIGMA_NM)).pattern(0.3, 0.2)
    assert blurred.sum() == pytest.approx(scatterer.pattern(0.3, 0.2).sum(), abs=1e-3)
    assert blurred.min() >= 0


def test_deflection_and_image_are_averaged_over_the_source(sample: Sample, scatterer: Scatterer) -> None:
    point = Scatterer(sample, Optics(), shape=(128, 128))
    y, x = np.random.default_rng(1).uniform(-1.5, 1.5, (2, 40))
    grid, weights = np.polynomial.hermite_e.hermegauss(12)
    weights = weights / weights.sum()
    places = [(a, b, v * w) for a, v in zip(grid, weights, strict=True) for b, w in zip(grid, weights, strict=True)]
    com = sum(w * np.array(point.com_mrad(y + a * SIGMA_NM, x + b * SIGMA_NM)) for a, b, w in places)
    image = sum(w * point.haadf(y + a * SIGMA_NM, x + b * SIGMA_NM) for a, b, w in places)
    np.testing.assert_allclose(scatterer.com_mrad(y, x), com, atol=2e-3)
    np.testing.assert_allclose(scatterer.haadf(y, x), image, atol=2e-6)


def test_a_source_that_is_small_beside_the_probe_costs_nothing(sample: Sample) -> None:
    nanobeam = Scatterer(sample, Optics(semiangle_mrad=5.0), shape=(64, 64), lazy=True)
    blur = SourceBlur(nanobeam, SourceSettings(sigma_nm=SIGMA_NM))
    np.testing.assert_array_equal(blur.pattern(0.1, 0.2), nanobeam.pattern(0.1, 0.2))
