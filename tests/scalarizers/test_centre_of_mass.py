import math
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dkl_core.errors import ScalarizerError
from dkl_core.measurement import Scalar
from dkl_core.scalarizers import DetectorCare, FieldScalarizer, Pattern, Reading, field_scalarizer, get_scalarizer
from tests.scalarizers.patterns import ALPHA_MRAD, ELECTRONS, MRAD_PER_PX, SIZE, Graphene, counted, disc

CENTRE = (63.3, 64.6)


def field(name: str, **options: object) -> FieldScalarizer:
    found = field_scalarizer(get_scalarizer(name, **options))
    assert found is not None
    return found


def values(name: str, patterns: list[Pattern], places_nm: np.ndarray, **options: object) -> np.ndarray:
    scalarizer = field(name, **options)
    scalars = scalarizer.scalars([scalarizer.reading(pattern) for pattern in patterns], places_nm)
    return np.array([scalar.value for scalar in scalars])


def magnitude(patterns: list[Pattern], places_nm: np.ndarray, **options: object) -> np.ndarray:
    return values("com_magnitude", patterns, places_nm, **options)


def rms(numbers: np.ndarray) -> float:
    return float(np.sqrt(np.mean(numbers**2)))


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one, other)[0, 1])


def tilted(y: float = 0.4, x: float = -0.3, **known: object) -> Pattern:
    """Deflected by (y, x) px of 0.5 mrad from its known centre."""
    return Pattern(disc(tilt=(y, x)), 0.5, CENTRE, **known)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("com_y", 0.2), ("com_x", -0.15), ("com_magnitude", 0.25), ("com_angle", math.atan2(0.2, -0.15))],
)
def test_the_deflection_is_in_mrad_from_the_calibrated_centre(name: str, expected: float) -> None:
    assert get_scalarizer(name)(tilted()).value == pytest.approx(expected, rel=0.01)


def test_without_a_calibrated_centre_the_disc_is_the_reference_of_a_lone_pattern() -> None:
    assert get_scalarizer("com_x")(Pattern(tilted().values, 0.5)).value == pytest.approx(-0.15, abs=0.02)


def test_the_place_of_the_pattern_on_the_camera_does_not_matter() -> None:
    rolled = Pattern(np.roll(tilted().values, (20, -17), (0, 1)), 0.5, (83.3, 47.6))
    assert get_scalarizer("com_y")(rolled).value == pytest.approx(get_scalarizer("com_y")(tilted()).value, abs=1e-6)


@pytest.mark.parametrize("turn", [0.0, 37.0, 90.0, -120.0])
def test_the_rotation_of_the_camera_is_undone_from_x_towards_y(turn: float) -> None:
    angle = get_scalarizer("com_angle", rotation_deg=turn)(tilted(0.0, 0.4)).value
    assert math.degrees(angle) == pytest.approx(turn, abs=0.1)


def test_a_flipped_camera_is_turned_over_before_it_is_rotated() -> None:
    flipped = get_scalarizer("com_angle", flip=True, rotation_deg=30.0)(tilted(0.4, 0.0))
    assert math.degrees(flipped.value) == pytest.approx(-60.0, abs=0.5)


def test_the_magnitude_does_not_depend_on_rotation_and_flip() -> None:
    one, other = get_scalarizer("com_magnitude"), get_scalarizer("com_magnitude", rotation_deg=50.0, flip=True)
    assert one(tilted()).value == pytest.approx(other(tilted()).value, abs=1e-9)


def test_the_mask_keeps_what_is_beside_the_disc_out() -> None:
    stray = disc() + 0.1 * disc(middle=(20.0, 20.0), radius=5.0)
    pattern = Pattern(stray, 0.5, CENTRE)
    assert abs(get_scalarizer("com_x")(pattern).value) < 0.01
    assert get_scalarizer("com_x", mask=False)(pattern).value < -1


def test_a_known_semi_angle_sets_the_mask() -> None:
    wide = get_scalarizer("com_x", semiangle_mrad=40.0)
    stray = Pattern(disc() + 0.1 * disc(middle=(63.3, 110.0), radius=5.0), 0.5, CENTRE)
    assert wide(stray).value > 0.5


def test_values_that_are_no_counts_have_no_noise() -> None:
    assert get_scalarizer("com_x")(tilted()).noise_variance is None


@pytest.mark.parametrize("gain", [1.0, 4.0])
def test_the_noise_is_half_the_semi_angle_over_the_root_of_the_electrons(gain: float) -> None:
    pattern = Pattern(counted(disc(), gain=gain), 0.5, counts_per_electron=gain)
    variance = get_scalarizer("com_x")(pattern).noise_variance
    assert variance == pytest.approx((15 / 2) ** 2 / ELECTRONS, rel=0.03)


@pytest.mark.parametrize("read_noise", [0.0, 2.0, 10.0])
def test_the_stated_noise_is_the_scatter_of_repeated_patterns(read_noise: float) -> None:
    bright = disc((64, 64), (31.4, 32.2), 15.0)
    found = []
    for seed in range(150):
        counts = counted(bright, 1e5, seed=seed, read_noise=read_noise)
        pattern = Pattern(counts, 2.0, (31.4, 32.2), 1.0, read_noise_counts=read_noise)
        found.append(get_scalarizer("com_x")(pattern))
    scatter = np.std([scalar.value for scalar in found])
    stated = math.sqrt(np.mean([scalar.noise_variance for scalar in found if scalar.noise_variance is not None]))
    assert stated == pytest.approx(scatter, rel=0.2)


def test_the_noise_turns_with_the_camera() -> None:
    values = np.zeros((64, 64))
    values[20:44, 28:36] = 100.0
    pattern = Pattern(values, 1.0, (31.5, 31.5), 1.0)
    upright = get_scalarizer("com_y", mask=False)(pattern).noise_variance
    assert get_scalarizer("com_x", mask=False, rotation_deg=90.0)(pattern).noise_variance == pytest.approx(upright)


def test_the_magnitude_of_noise_can_be_taken_off() -> None:
    still = [Pattern(counted(disc(), 1e4, seed=seed), 0.5, CENTRE, 1.0) for seed in range(40)]
    biased, honest = (get_scalarizer("com_magnitude", debias=debias) for debias in (False, True))
    assert np.mean([honest(p).value for p in still]) < 0.6 * np.mean([biased(p).value for p in still])


def test_a_direction_below_its_noise_is_not_valid() -> None:
    angle = get_scalarizer("com_angle")
    still = [angle(Pattern(counted(disc(), 1e4, seed=seed), 0.5, CENTRE, 1.0)) for seed in range(40)]
    invalid = [scalar.reason for scalar in still if not scalar.valid]
    # a deflection of noise alone is longer than its rms in 1/e of all cases
    assert 0.4 < len(invalid) / 40 < 0.85
    assert all("below its noise" in reason for reason in invalid)


def test_the_noise_of_a_direction_is_that_across_over_the_magnitude() -> None:
    pattern = Pattern(counted(disc(tilt=(0.4, 0.0))), 0.5, CENTRE, 1.0)
    angle, along = get_scalarizer("com_angle")(pattern), get_scalarizer("com_y")(pattern)
    assert angle.noise_variance == pytest.approx((15 / 2) ** 2 / ELECTRONS / along.value**2, rel=0.05)


def test_a_hot_pixel_does_not_pull_the_centre_of_mass() -> None:
    counts = counted(disc())
    clean = get_scalarizer("com_x")(Pattern(counts, 0.5, CENTRE, 1.0)).value
    counts[60, 90] = 6e4
    assert get_scalarizer("com_x")(Pattern(counts, 0.5, CENTRE, 1.0)).value == pytest.approx(clean, abs=1e-3)


@pytest.mark.parametrize(
    "dark",
    [np.zeros((64, 64)), np.random.default_rng(0).normal(0.5, 3, (64, 64)), np.eye(64) * 0 + np.eye(1, 64, 9) * 6e4],
    ids=["black", "read noise", "a line of one pixel"],
)
def test_a_blanked_frame_gives_an_invalid_reading_without_a_warning(dark: np.ndarray) -> None:
    reading = field("com_x").reading(Pattern(dark[:64], 0.5, counts_per_electron=1.0))
    assert not reading.valid
    assert reading.reason.startswith("no beam")


def test_saturated_pixels_make_the_reading_invalid() -> None:
    raw = np.round(counted(disc()) * 300).clip(0, 65535).astype(np.uint16)
    reading = field("com_x").reading(DetectorCare(saturation_level=65535).corrected(raw, 0.5, 300.0))
    assert "pixels are saturated" in reading.reason


def test_invalid_readings_stay_so_and_leave_the_others_alone() -> None:
    scalarizer = field("com_x")
    bright, dark = scalarizer.reading(tilted()), scalarizer.reading(Pattern(np.zeros((64, 64)), 0.5))
    one, none, other = scalarizer.scalars([bright, dark, bright], np.arange(6.0).reshape(3, 2))
    assert one.valid
    assert other.valid
    assert none == Scalar.invalid(dark.reason)


def test_no_valid_reading_gives_no_valid_scalar() -> None:
    scalarizer = field("com_x")
    dark = scalarizer.reading(Pattern(np.zeros((64, 64)), 0.5))
    assert [scalar.valid for scalar in scalarizer.scalars([dark], np.zeros((1, 2)))] == [False]
    assert scalarizer.scalars([], np.zeros((0, 2))) == []


@pytest.mark.parametrize(
    "options",
    [
        {"semiangle_mrad": 0.0},
        {"margin": -0.1},
        {"rotation_deg": math.nan},
        {"reference": "frame"},
        {"descan": "parabola"},
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ScalarizerError, match=next(iter(options))):
        get_scalarizer("com_x", **options)


@pytest.fixture(scope="module")
def whole_field(graphene_set: Graphene) -> list[Reading]:
    """The readings of all patterns of the data set, with its calibrated centre."""
    scalarizer = field("com_x")
    return [scalarizer.reading(pattern) for pattern in graphene_set.patterns(slice(None), calibrated=True)]


def of_readings(name: str, readings: list[Reading], graphene_set: Graphene) -> np.ndarray:
    return np.array([scalar.value for scalar in field(name).scalars(readings, graphene_set.places_nm)])


def test_the_deflections_of_the_data_set_are_right(whole_field: list[Reading], graphene_set: Graphene) -> None:
    truth = graphene_set.truth
    for name in ("com_x", "com_y"):
        assert rms(of_readings(name, whole_field, graphene_set) - truth[name]) <= 0.005
    assert correlation(of_readings("com_magnitude", whole_field, graphene_set), truth["com_mag"]) >= 0.9999


def test_the_reference_of_the_whole_field_needs_no_calibrated_centre(
    whole_field: list[Reading], graphene_set: Graphene
) -> None:
    unknown = [replace(one, values=(*one.values[:4], math.nan, math.nan, one.values[6])) for one in whole_field]
    truth = graphene_set.truth
    assert rms(of_readings("com_x", unknown, graphene_set) - truth["com_x"]) <= 0.005
    assert correlation(of_readings("com_magnitude", unknown, graphene_set), truth["com_mag"]) >= 0.9999


def test_poisson_noise_gives_an_error_at_the_shot_noise_limit(graphene_set: Graphene) -> None:
    clean = graphene_set.patterns(slice(None, None, 6), calibrated=True)
    places = graphene_set.places_nm[::6]
    noisy = [Pattern(counted(p.values, seed=number), MRAD_PER_PX, p.centre_px, 1.0) for number, p in enumerate(clean)]
    error = rms(values("com_x", noisy, places) - values("com_x", clean, places))
    assert error == pytest.approx(ALPHA_MRAD / 2 / math.sqrt(ELECTRONS), rel=0.1)


@pytest.mark.parametrize(("sites", "least"), [(20, 0.985), (100, 0.995), (1500, 0.9990)])
def test_the_measured_reference_finds_a_wrong_centre_and_the_descan(
    graphene_set: Graphene, sites: int, least: float
) -> None:
    which = np.random.default_rng(7).choice(9216, sites, replace=False)
    seen = graphene_set.seen(which, centre_mrad=(1.3, -0.8), descan=0.4)
    found = magnitude(seen, graphene_set.places_nm[which])
    assert correlation(found, graphene_set.truth["com_mag"][which]) >= least


def test_the_raw_centre_of_mass_and_its_turns_are_those_of_libertem(graphene_set: Graphene) -> None:
    with warnings.catch_warnings():
        # what it imports warns of its own future
        warnings.simplefilter("ignore")
        api = pytest.importorskip("libertem.api")
        com = pytest.importorskip("libertem.udf.com")
        block = graphene_set.values[:64].reshape(8, 8, SIZE, SIZE).astype(np.float32)
        context = api.Context.make_with("inline")
        dataset = context.load("memory", data=block, sig_dims=2, num_partitions=1)
        for turn, flip in ((0.0, False), (37.0, False), (37.0, True)):
            parameters = com.CoMParams(cy=23.75, cx=23.75, r=math.inf, scan_rotation=turn, flip_y=flip)
            theirs = context.run_udf(dataset=dataset, udf=com.CoMUDF(parameters))["field"].data.reshape(-1, 2)
            options = {"mask": False, "rotation_deg": turn, "flip": flip}
            patterns = graphene_set.patterns(slice(0, 64), calibrated=True)
            for column, name in enumerate(("com_y", "com_x")):
                ours = [get_scalarizer(name, **options)(pattern).value / MRAD_PER_PX for pattern in patterns]
                np.testing.assert_allclose(ours, theirs[:, column], atol=1e-4)
        context.close()


def test_the_small_fixture_gives_the_same_deflections(fixture_data: Path) -> None:
    with np.load(fixture_data / "fixture_graphene_si_16x16.npz") as file:
        stored = file["patterns"].reshape(-1, SIZE, SIZE) * float(file["patterns_scale"])
        truth, centre = file["com_x"].ravel(), float(file["centre_px"])
    patterns = [Pattern(one, MRAD_PER_PX, (centre, centre)) for one in stored]
    places = np.argwhere(np.ones((16, 16))) * 0.12
    assert rms(values("com_x", patterns, places) - truth) <= 0.005
