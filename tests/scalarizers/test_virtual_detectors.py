import math

import numpy as np
import pytest

from dkl_core.errors import ScalarizerError
from dkl_core.scalarizers import Pattern, field_scalarizer, get_scalarizer
from dkl_core.stem import Optics, SampleSettings, Scatterer, build_sample
from tests.scalarizers.patterns import ALPHA_MRAD, ELECTRONS, Graphene, counted, disc, moved

DETECTORS = ("bright_field", "annular_bright_field", "annular_dark_field")


def halo() -> np.ndarray:
    """A disc of 30 px with 0.9 of the beam and one ring of 40 to 44 px with the rest."""
    return 0.9 * disc() + 0.1 * (44**2 * disc(radius=44.0) - 40**2 * disc(radius=40.0)) / (44**2 - 40**2)


@pytest.mark.parametrize(("name", "share"), [("bright_field", 0.225), ("annular_dark_field", 0.1)])
def test_a_detector_gives_the_share_of_the_beam_on_its_ring(name: str, share: float) -> None:
    assert get_scalarizer(name)(Pattern(halo(), 1.0)).value == pytest.approx(share, rel=0.02)


def test_annular_bright_field_is_the_outer_half_of_the_disc() -> None:
    assert get_scalarizer("annular_bright_field")(Pattern(halo(), 1.0)).value == pytest.approx(0.675, rel=0.01)


@pytest.mark.parametrize("name", DETECTORS)
def test_the_beam_current_does_not_matter(name: str) -> None:
    weak, strong = (Pattern(halo() * electrons, 1.0, counts_per_electron=1.0) for electrons in (1e5, 3e5))
    detector = get_scalarizer(name)
    assert detector(weak).value == pytest.approx(detector(strong).value, rel=1e-9)


def test_fractions_of_the_beam_are_not_divided_by_what_the_camera_caught() -> None:
    detector = get_scalarizer("bright_field")
    assert detector(Pattern(0.8 * disc(), 1.0)).value == pytest.approx(0.8 * detector(Pattern(disc(), 1.0)).value)


def test_electrons_are_given_when_they_are_asked_for() -> None:
    pattern = Pattern(counted(halo(), gain=4.0), 1.0, counts_per_electron=4.0)
    found = get_scalarizer("annular_dark_field", normalise=False)(pattern)
    assert found.value == pytest.approx(0.1 * ELECTRONS, rel=0.02)
    assert found.noise_variance == pytest.approx(found.value, rel=0.02)


@pytest.mark.parametrize("name", DETECTORS)
def test_the_edge_is_soft_so_that_parts_of_pixels_change_nothing(name: str) -> None:
    detector = get_scalarizer(name, semiangle_mrad=30.0)
    whole = halo()
    found = [
        detector(Pattern(moved(whole, part, -part), 1.0, (63.3 + part, 64.6 - part))).value
        for part in np.linspace(0, 1, 6)
    ]
    assert np.ptp(found) < 2e-3


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize("read_noise", [0.0, 5.0])
def test_the_stated_noise_is_the_scatter_of_repeated_patterns(name: str, read_noise: float) -> None:
    detector = get_scalarizer(name, semiangle_mrad=30.0)
    found = [
        detector(
            Pattern(
                counted(halo(), 1e5, seed=seed, read_noise=read_noise),
                1.0,
                (63.3, 64.6),
                1.0,
                read_noise_counts=read_noise,
            )
        )
        for seed in range(120)
    ]
    variances = [scalar.noise_variance for scalar in found if scalar.noise_variance is not None]
    assert math.sqrt(np.mean(variances)) == pytest.approx(np.std([scalar.value for scalar in found]), rel=0.25)


def test_values_that_are_no_counts_have_no_noise() -> None:
    assert get_scalarizer("bright_field")(Pattern(disc(), 1.0)).noise_variance is None


@pytest.mark.parametrize("name", DETECTORS)
def test_a_blanked_frame_is_invalid(name: str) -> None:
    dark = np.random.default_rng(0).normal(0.5, 3, (128, 128))
    found = get_scalarizer(name)(Pattern(dark, 1.0, counts_per_electron=1.0))
    assert not found.valid
    assert found.reason.startswith("no beam")


def test_saturated_pixels_are_named() -> None:
    assert "2 pixels are saturated" in get_scalarizer("bright_field")(Pattern(disc(), 1.0, saturated_px=2)).reason


def test_a_hot_pixel_does_not_show_in_the_dark_field() -> None:
    counts = counted(halo())
    clean = get_scalarizer("annular_dark_field")(Pattern(counts, 1.0, counts_per_electron=1.0)).value
    counts[5, 5] = 6e4
    found = get_scalarizer("annular_dark_field")(Pattern(counts, 1.0, counts_per_electron=1.0)).value
    assert found == pytest.approx(clean, abs=1e-5)


def test_a_ring_beyond_the_camera_is_invalid() -> None:
    found = get_scalarizer("annular_dark_field", inner=7.0)(Pattern(disc(), 1.0))
    assert "the camera ends within 7 of the semi-angle" in found.reason


@pytest.mark.parametrize(
    "options", [{"inner": 1.0, "outer": 0.5}, {"inner": -0.1}, {"semiangle_mrad": -3.0}, {"beyond_px": -1.0}]
)
def test_rings_that_cannot_be_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ScalarizerError, match="give"):
        get_scalarizer("bright_field", **options)


def test_annular_bright_field_of_the_data_set_is_right(graphene_set: Graphene) -> None:
    detector = get_scalarizer("annular_bright_field", semiangle_mrad=ALPHA_MRAD)
    found = [detector(pattern).value for pattern in graphene_set.patterns(slice(0, None, 3), calibrated=True)]
    assert np.corrcoef(found, graphene_set.truth["abf"][::3])[0, 1] >= 0.999


def test_a_run_needs_neither_centre_nor_semi_angle(graphene_set: Graphene) -> None:
    which = np.arange(0, 9216, 7)
    found = run_of("annular_bright_field", graphene_set.patterns(which))
    assert np.corrcoef(found, graphene_set.truth["abf"][which])[0, 1] >= 0.999


def test_a_run_survives_descan(graphene_set: Graphene) -> None:
    which = np.arange(0, 9216, 9)
    found = run_of("annular_bright_field", graphene_set.seen(which, centre_mrad=(1.3, -0.8), descan=0.4))
    assert np.corrcoef(found, graphene_set.truth["abf"][which])[0, 1] >= 0.995


def test_a_pattern_alone_needs_neither_centre_nor_semi_angle(graphene_set: Graphene) -> None:
    detector = get_scalarizer("annular_bright_field")
    found = [detector(pattern).value for pattern in graphene_set.patterns(slice(0, None, 9))]
    assert np.corrcoef(found, graphene_set.truth["abf"][::9])[0, 1] >= 0.998


def test_a_run_on_another_sample_is_right() -> None:
    sample = build_sample(SampleSettings("graphene_si", 4.0))
    fine = Scatterer(sample, Optics(), lazy=True)
    exact = get_scalarizer("annular_bright_field", semiangle_mrad=30.0, outer=1.0, beyond_px=0.0, less_dark=False)
    places = np.random.default_rng(0).uniform(-1, 1, (40, 2))
    patterns = [fine.pattern(y, x).astype(float) for y, x in places]
    truth = [exact(Pattern(pattern, fine.mrad_per_px, fine.centre_px)).value for pattern in patterns]
    coarse = [pattern.reshape(128, 2, 128, 2).sum(axis=(1, 3)) for pattern in patterns]
    found = run_of("annular_bright_field", [Pattern(pattern, 2 * fine.mrad_per_px) for pattern in coarse])
    assert np.corrcoef(found, truth)[0, 1] >= 0.999


def test_what_is_dark_beside_the_disc_is_not_counted() -> None:
    rows, cols = np.indices((128, 128))
    distance = np.hypot(rows - 63.3, cols - 64.6)
    fog = np.where(distance > 30, 1e-5, 0.0)
    detector = get_scalarizer("annular_bright_field", semiangle_mrad=30.0)
    clear, foggy = (detector(Pattern(values, 1.0, (63.3, 64.6))).value for values in (disc(), disc() + fog))
    counted = get_scalarizer("annular_bright_field", semiangle_mrad=30.0, less_dark=False)
    assert foggy == pytest.approx(clear, abs=1e-4)
    assert counted(Pattern(disc() + fog, 1.0, (63.3, 64.6))).value > clear + 4e-3


def test_the_radius_of_one_pattern_does_not_show_in_a_run() -> None:
    radii = [30.0] * 9 + [30.3]
    found = run_of("bright_field", [Pattern(disc(radius=radius), 1.0) for radius in radii])
    alone = [get_scalarizer("bright_field")(Pattern(disc(radius=radius), 1.0)).value for radius in radii]
    # a disc that is larger has less of its intensity within the radius that all have
    assert found[9] / found[0] == pytest.approx((30.0 / 30.3) ** 2, abs=1e-3)
    assert alone[9] == pytest.approx(alone[0], rel=1e-3)


def run_of(name: str, patterns: list[Pattern]) -> list[float]:
    field = field_scalarizer(get_scalarizer(name))
    assert field is not None
    readings = [field.reading(pattern) for pattern in patterns]
    return [scalar.value for scalar in field.scalars(readings, np.zeros((len(readings), 2)))]
