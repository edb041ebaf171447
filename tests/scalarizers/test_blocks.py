from pathlib import Path

import numpy as np
import pytest

from dkl_core.errors import InputError
from dkl_core.scalarizers import (
    BlockShape,
    ChargeDensity,
    DeflectionCurl,
    DeflectionDivergence,
    Pattern,
    PatternBlock,
    block_of,
    get_scalarizer,
)
from dkl_core.scalarizers.blocks import charge_per_divergence

MRAD_PER_PX = 2.0


def disc(com_y: float, com_x: float, centre: float = 23.75) -> np.ndarray:
    """A disc of 30 mrad in the focus of a slowly varying field: its intensity tilts."""
    y, x = (np.indices((48, 48)) - centre) * MRAD_PER_PX
    bright = np.clip((30 + MRAD_PER_PX / 2 - np.hypot(y, x)) / MRAD_PER_PX, 0, 1)
    tilt = 4 * (com_y * y + com_x * x) / 30**2
    values = bright * (1 + tilt)
    return values / values.sum()


def block(gradient: np.ndarray, n: int = 3, step_nm: float = 0.02, electrons: float | None = None) -> PatternBlock:
    """The patterns of a deflection of (0.3, -0.2) mrad in the middle with a gradient over (y, x), mrad/nm."""
    deflections = [0.3, -0.2] + BlockShape(n, step_nm).offsets_nm @ gradient.T
    patterns = [Pattern(disc(*deflection), MRAD_PER_PX) for deflection in deflections]
    if electrons is not None:
        rng = np.random.default_rng(int(electrons))
        patterns = [Pattern(rng.poisson(p.values * electrons), MRAD_PER_PX, counts_per_electron=1.0) for p in patterns]
    return PatternBlock(tuple(patterns), n, step_nm)


@pytest.fixture(scope="module")
def graphene(shared_data: Path) -> dict[str, np.ndarray]:
    data = dict(np.load(shared_data / "simulated" / "graphene_si_30mrad.npz"))
    data["patterns"] = data["patterns"].astype(np.float64) * float(data["patterns_scale"])
    return data


def neighbours(data: dict[str, np.ndarray], row: int, col: int) -> PatternBlock:
    patterns = data["patterns"][row - 1 : row + 2, col - 1 : col + 2].reshape(9, 48, 48)
    return PatternBlock(tuple(Pattern(values, MRAD_PER_PX) for values in patterns), 3, 0.02)


def test_the_divergence_is_the_sum_of_the_slopes_along_the_axes() -> None:
    found = DeflectionDivergence()(block(np.array([[5.0, 2.0], [-3.0, -9.0]])))
    assert found.value == pytest.approx(-4.0, abs=0.05)


def test_the_curl_is_the_difference_of_the_slopes_across_the_axes() -> None:
    found = DeflectionCurl()(block(np.array([[5.0, 2.0], [-3.0, -9.0]])))
    assert found.value == pytest.approx(5.0, abs=0.05)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_blocks_of_any_size_give_the_same(n: int) -> None:
    found = DeflectionDivergence(n=n)(block(np.diag([4.0, 4.0]), n=n))
    assert found.value == pytest.approx(8.0, abs=0.08)


def test_where_the_pattern_lies_on_the_camera_does_not_matter() -> None:
    here, gradient = block(np.diag([4.0, 3.0])), DeflectionDivergence()
    rolled = tuple(Pattern(np.roll(p.values, (3, -4), (0, 1)), MRAD_PER_PX) for p in here.patterns)
    assert gradient(PatternBlock(rolled, 3, 0.02)).value == pytest.approx(gradient(here).value, abs=1e-6)


def test_a_rotated_camera_is_put_right() -> None:
    # turned by a right angle, the field (4 y, 6 x) of the scan is (-6 x, 4 y) on the camera
    seen = block(np.array([[0.0, -6.0], [4.0, 0.0]]))
    assert DeflectionDivergence(rotation_deg=90)(seen).value == pytest.approx(10.0, abs=0.1)
    assert DeflectionCurl(rotation_deg=90)(seen).value == pytest.approx(0.0, abs=0.1)


@pytest.mark.parametrize("kind", [DeflectionDivergence, DeflectionCurl, ChargeDensity])
def test_the_noise_is_predicted_from_the_counts(kind: type[DeflectionDivergence]) -> None:
    scalars = [kind()(block(np.diag([4.0, 3.0]), electrons=1e5 + number)) for number in range(200)]
    predicted = np.mean([scalar.noise_variance for scalar in scalars])
    assert predicted / np.var([scalar.value for scalar in scalars]) == pytest.approx(1.0, abs=0.3)


def test_values_that_are_no_counts_have_no_noise() -> None:
    assert DeflectionDivergence()(block(np.eye(2))).noise_variance is None


def test_one_bad_pattern_makes_the_block_invalid_and_is_named() -> None:
    patterns = list(block(np.eye(2)).patterns)
    patterns[4] = Pattern(np.zeros((48, 48)), MRAD_PER_PX)
    scalar = DeflectionDivergence()(PatternBlock(tuple(patterns), 3, 0.02))
    assert not scalar.valid
    assert scalar.reason.startswith("pattern 5 of 9: no beam")


def test_the_charge_density_follows_from_the_relativistic_electron() -> None:
    # pv of 70 keV electrons is 131.57 keV, and 55.263494 e/(V µm) the vacuum permittivity
    assert charge_per_divergence(70e3) == pytest.approx(-131.566e3 * 0.055263494e-3, rel=1e-4)


def test_charge_is_positive_where_the_beam_is_drawn_together() -> None:
    found = ChargeDensity(energy_ev=70e3)(block(np.diag([-4.0, -4.0])))
    assert found.value == pytest.approx(-8.0 * charge_per_divergence(70e3), rel=0.01)
    assert found.value > 0


def test_offsets_are_row_by_row_round_the_site() -> None:
    offsets = BlockShape(2, 0.1).offsets_nm
    np.testing.assert_allclose(offsets, [[-0.05, -0.05], [-0.05, 0.05], [0.05, -0.05], [0.05, 0.05]])


def test_the_host_learns_the_block_from_the_scalarizer() -> None:
    assert block_of(get_scalarizer("com_divergence", n=5, step_nm=0.03)) == BlockShape(5, 0.03)
    assert block_of(get_scalarizer("bragg_distance")) is None


@pytest.mark.parametrize("name", ["com_divergence", "com_curl", "charge_density"])
def test_the_block_scalarizers_are_known_by_name(name: str) -> None:
    assert get_scalarizer(name).raw_kind == "block"


@pytest.mark.parametrize("options", [{"n": 1}, {"n": 40}, {"step_nm": 0.0}, {"margin": -1.0}])
def test_options_without_meaning_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(InputError):
        DeflectionDivergence(**options)


def test_a_block_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(InputError, match="give 9"):
        PatternBlock(block(np.eye(2)).patterns[:8], 3, 0.02)


def test_only_a_block_is_taken() -> None:
    with pytest.raises(InputError, match="give a PatternBlock"):
        DeflectionDivergence()(block(np.eye(2)).patterns[0])


def plane_slopes(known: np.ndarray, places: list[tuple[int, int]]) -> np.ndarray:
    """(slope along y, slope along x) of the least-squares plane through 3 by 3 pixels of a map round each place."""
    y, x = BlockShape(3, 0.02).offsets_nm.T
    near = np.array([known[row - 1 : row + 2, col - 1 : col + 2].ravel() for row, col in places], dtype=np.float64)
    return np.column_stack([near @ y / (y @ y), near @ x / (x @ x)])


def test_the_divergence_in_graphene_agrees_with_the_gradient_of_the_known_maps(graphene: dict[str, np.ndarray]) -> None:
    places = [(row, col) for row in range(2, 94, 9) for col in range(2, 94, 9)]
    found = [DeflectionDivergence(mask=False)(neighbours(graphene, *place)).value for place in places]
    slopes_y = np.gradient(graphene["com_y"].astype(np.float64), 0.02, axis=0)
    slopes_x = np.gradient(graphene["com_x"].astype(np.float64), 0.02, axis=1)
    # the plane through 3 by 3 is the central difference averaged over three lines
    known = np.mean([np.roll(slopes_y, s, axis=1) + np.roll(slopes_x, s, axis=0) for s in (-1, 0, 1)], axis=0)
    expected = np.array([known[place] for place in places])
    assert np.std(found - expected) < 0.01 * expected.std()


def test_the_curl_in_graphene_is_only_what_the_finite_block_leaves(graphene: dict[str, np.ndarray]) -> None:
    # a conservative field has no curl, but slopes over a block of finite width do not cancel to the last
    places = [(row, col) for row in range(2, 94, 9) for col in range(2, 94, 9)]
    blocks = [neighbours(graphene, *place) for place in places]
    curls = np.array([DeflectionCurl(mask=False)(each).value for each in blocks])
    of_y, of_x = (plane_slopes(graphene[key], places) for key in ("com_y", "com_x"))
    left, divergences = of_y[:, 1] - of_x[:, 0], of_y[:, 0] + of_x[:, 1]
    assert np.std(curls - left) < 0.005 * divergences.std()
    assert left.std() < 0.05 * divergences.std()
