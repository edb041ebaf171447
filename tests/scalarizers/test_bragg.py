from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from dkl_core.errors import InputError
from dkl_core.scalarizers import BraggDistance, Pattern, get_scalarizer

HEXAGONAL = np.radians(np.arange(0, 360, 60))
SQUARE = np.radians(np.arange(0, 360, 90))
MRAD_PER_PX = 0.8
# with so many a variance is known to 9 %, and 30 % is more than three deviations
DRAWS = 250


def nanobeam(
    distance_mrad: float = 17.0,
    angles: np.ndarray = HEXAGONAL,
    *,
    turn_deg: float = 11.0,
    share: float = 1.4e-4,
    radius_mrad: float = 5.0,
    centre_px: tuple[float, float] = (46.3, 49.2),
    shape: tuple[int, int] = (96, 96),
    mrad_per_px: float = MRAD_PER_PX,
    stretch_x: float = 1.0,
) -> np.ndarray:
    """Discs of one brightness round a central one, as fractions of the beam."""
    turned = angles + np.radians(turn_deg)
    places = np.column_stack([np.sin(turned), stretch_x * np.cos(turned)]) * distance_mrad / mrad_per_px
    rows, cols = np.indices(shape)
    radius = radius_mrad / mrad_per_px

    def disc(place: np.ndarray) -> np.ndarray:
        away = np.hypot(rows - centre_px[0] - place[0], cols - centre_px[1] - place[1])
        return np.clip(radius + 0.5 - away, 0, 1) / (np.pi * radius**2)

    return (1 - len(places) * share) * disc(np.zeros(2)) + share * sum(disc(place) for place in places)


def distance(values: np.ndarray, mrad_per_px: float = MRAD_PER_PX, **options: object) -> float:
    scalar = BraggDistance(**options)(Pattern(values, mrad_per_px))
    assert scalar.valid, scalar.reason
    return scalar.value


@pytest.fixture(scope="module")
def strained(shared_data: Path) -> dict[str, np.ndarray]:
    data = dict(np.load(shared_data / "simulated" / "nbed_graphene_strain_5mrad.npz"))
    data["patterns"] = (data["patterns"].astype(np.float64) * float(data["patterns_sqrt_scale"])) ** 2
    data["interior"] = ndimage.binary_erosion(data["layers"] == 1, np.ones((5, 5)), border_value=1)
    return data


def test_the_distance_of_a_hexagonal_lattice_is_found_in_any_orientation() -> None:
    found = [distance(nanobeam(turn_deg=turn)) for turn in range(0, 60, 7)]
    np.testing.assert_allclose(found, 17.0, atol=0.01)


def test_the_distance_of_a_square_lattice_is_found() -> None:
    assert distance(nanobeam(16.0, SQUARE)) == pytest.approx(16.0, abs=0.01)


def test_the_pattern_may_lie_anywhere_on_the_camera() -> None:
    assert distance(nanobeam(centre_px=(41.7, 53.9))) == pytest.approx(17.0, abs=0.01)


def test_a_missing_disc_does_not_change_the_mean() -> None:
    whole, lacking = (nanobeam(angles=angles, stretch_x=1.04) for angles in (HEXAGONAL, HEXAGONAL[1:]))
    assert distance(lacking) == pytest.approx(distance(whole), abs=0.01)


def test_the_second_order_is_left_out_even_where_it_is_brighter() -> None:
    second = nanobeam(17.0 * np.sqrt(3), turn_deg=41.0, share=4e-4, centre_px=(48, 48), shape=(128, 128))
    first = nanobeam(17.0, share=1.4e-4, centre_px=(48, 48), shape=(128, 128))
    assert distance(first + second) == pytest.approx(17.0, abs=0.01)


def test_fine_pixels_give_the_same_distance() -> None:
    fine = nanobeam(shape=(256, 256), mrad_per_px=0.3, centre_px=(121.4, 133.8))
    assert distance(fine, 0.3) == pytest.approx(17.0, abs=0.01)


def test_the_semiangle_can_be_given() -> None:
    assert distance(nanobeam(), semiangle_mrad=5.0) == pytest.approx(17.0, abs=0.01)


def test_the_sloping_tail_of_the_central_beam_does_not_pull_the_discs() -> None:
    rows, cols = np.indices((96, 96))
    away = np.hypot(rows - 46.3, cols - 49.2) * MRAD_PER_PX
    assert distance(nanobeam() + 2e-5 / np.maximum(away, 5.0) ** 2) == pytest.approx(17.0, abs=0.03)


def test_vacuum_has_no_disc_and_says_so() -> None:
    scalar = BraggDistance()(Pattern(nanobeam(share=2e-5), MRAD_PER_PX))
    assert not scalar.valid
    assert "no disc: the brightest holds 2.0e-05 of the beam" in scalar.reason


def test_the_search_does_not_walk_into_the_central_beam() -> None:
    rows, cols = np.indices((96, 96))
    halo = 1e-4 * np.exp(-np.hypot(rows - 46.3, cols - 49.2) / 6)
    assert not BraggDistance()(Pattern(nanobeam(share=0.0) + halo, MRAD_PER_PX)).valid


def test_discs_on_one_line_are_no_lattice() -> None:
    scalar = BraggDistance()(Pattern(nanobeam(angles=np.array([0.0, np.pi])), MRAD_PER_PX))
    assert "only 2 first-order discs" in scalar.reason


def test_an_empty_pattern_has_no_beam() -> None:
    assert "no beam" in BraggDistance()(Pattern(np.zeros((32, 32)), 1.0)).reason


def test_too_few_electrons_are_told_from_discs(rng: np.random.Generator) -> None:
    faint = Pattern(rng.poisson(nanobeam() * 1e4).astype(float), MRAD_PER_PX, counts_per_electron=1.0)
    assert "too few electrons" in BraggDistance()(faint).reason


def test_saturated_patterns_are_refused_unless_allowed() -> None:
    pattern = Pattern(nanobeam(), MRAD_PER_PX, saturated_px=3)
    assert "3 pixels are saturated" in BraggDistance()(pattern).reason
    assert BraggDistance(allow_saturated=True)(pattern).valid


def test_values_that_are_no_counts_have_no_noise() -> None:
    assert BraggDistance()(Pattern(nanobeam(), MRAD_PER_PX)).noise_variance is None


@pytest.mark.parametrize(("electrons", "counts_per_electron"), [(3e5, 1.0), (2e6, 1.0), (2e6, 5.0)])
def test_the_noise_is_predicted_from_the_counts(
    rng: np.random.Generator, electrons: float, counts_per_electron: float
) -> None:
    clean, measure = nanobeam(), BraggDistance()
    counts = [counts_per_electron * rng.poisson(clean * electrons) for _ in range(DRAWS)]
    scalars = [measure(Pattern(frame, MRAD_PER_PX, counts_per_electron=counts_per_electron)) for frame in counts]
    predicted = np.mean([scalar.noise_variance for scalar in scalars])
    assert predicted / np.var([scalar.value for scalar in scalars]) == pytest.approx(1.0, abs=0.3)


def test_read_noise_is_part_of_the_prediction(rng: np.random.Generator) -> None:
    clean, measure = nanobeam(), BraggDistance()
    frames = [rng.poisson(clean * 4e6) + rng.normal(0, 2.0, clean.shape) for _ in range(DRAWS)]
    scalars = [measure(Pattern(frame, MRAD_PER_PX, counts_per_electron=1.0)) for frame in frames]
    predicted = np.mean([scalar.noise_variance for scalar in scalars])
    assert predicted / np.var([scalar.value for scalar in scalars]) == pytest.approx(1.0, abs=0.3)


def test_it_is_known_by_name() -> None:
    scalarizer = get_scalarizer("bragg_distance", min_intensity=1e-4)
    assert scalarizer.raw_kind == "pattern"
    assert scalarizer(Pattern(nanobeam(), MRAD_PER_PX)).value == pytest.approx(17.0, abs=0.01)


@pytest.mark.parametrize("options", [{"semiangle_mrad": 0.0}, {"min_intensity": 0.0}, {"min_intensity": 2.0}])
def test_options_without_meaning_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        BraggDistance(**options)


def test_only_a_pattern_is_taken() -> None:
    with pytest.raises(InputError, match="give a Pattern"):
        BraggDistance()(nanobeam())


def test_the_strained_flake_is_measured_to_a_hundredth_of_a_mrad(strained: dict[str, np.ndarray]) -> None:
    places = np.argwhere(strained["interior"])[::10]
    found = np.array([distance(strained["patterns"][row, col]) for row, col in places])
    expected = strained["bragg_expected"][tuple(places.T)]
    assert np.sqrt(np.mean((found - expected) ** 2)) <= 0.01


def test_the_vacuum_beside_the_flake_is_never_measured(strained: dict[str, np.ndarray]) -> None:
    measure = BraggDistance()
    scalars = [measure(Pattern(values, MRAD_PER_PX)) for values in strained["patterns"][strained["vacuum"]]]
    assert not any(scalar.valid for scalar in scalars)
    assert all(scalar.reason for scalar in scalars)
