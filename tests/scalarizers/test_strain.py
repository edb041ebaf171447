from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dkl_core.errors import InputError
from dkl_core.scalarizers import (
    LatticeRotation,
    Pattern,
    Reading,
    StrainXX,
    StrainXY,
    StrainYY,
    field_scalarizer,
    get_scalarizer,
)
from dkl_core.scalarizers.strain import Deformation, common_lattice

# two vectors of a hexagonal lattice, rows of (y, x), mrad
LATTICE = 21.0 * np.array([[0.2, 0.98], [0.2 * 0.5 + 0.98 * 0.866, 0.98 * 0.5 - 0.2 * 0.866]])
KINDS = (StrainXX, StrainYY, StrainXY, LatticeRotation)
HERE = np.zeros((40, 2))


def rotation(degrees: float) -> np.ndarray:
    """Takes (y, x) to the (y, x) turned from x towards y."""
    turn = np.radians(degrees)
    return np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])


def deformed(deformation: np.ndarray) -> np.ndarray:
    return LATTICE @ np.linalg.inv(deformation)


def told(vectors: np.ndarray) -> Reading:
    return Reading((*vectors.ravel(), 0.5), None)


def measured(deformation: np.ndarray) -> list[float]:
    reference = tuple(LATTICE.ravel())
    return [kind(reference_mrad=reference).scalars([told(deformed(deformation))], HERE[:1])[0].value for kind in KINDS]


@pytest.fixture(scope="module")
def flake(fixture_data: Path) -> list[Pattern]:
    data = np.load(fixture_data / "fixture_nbed_graphene_10x10.npz")
    values = (data["patterns"].astype(np.float64) * float(data["patterns_sqrt_scale"])) ** 2
    return [Pattern(pattern, 0.8) for pattern in values[data["layers"] == 1]]


@pytest.fixture(scope="module")
def noisy(flake: list[Pattern]) -> list[Reading]:
    """The same place measured again and again, on a camera that is rotated."""
    rng, reader = np.random.default_rng(7), StrainXX(rotation_deg=25.0)
    frames = [rng.poisson(flake[20].values * 3e6).astype(float) for _ in range(250)]
    return [reader.reading(Pattern(frame, 0.8, counts_per_electron=1.0)) for frame in frames]


def test_a_stretch_along_x_is_positive_strain_xx() -> None:
    np.testing.assert_allclose(measured(np.diag([1.0, 1.02])), [0.02, 0, 0, 0], atol=1e-12)


def test_a_stretch_along_y_is_positive_strain_yy() -> None:
    np.testing.assert_allclose(measured(np.diag([1.03, 1.0])), [0, 0.03, 0, 0], atol=1e-12)


def test_shear_is_half_of_the_change_of_the_angle() -> None:
    np.testing.assert_allclose(measured(np.array([[1.0, 0.01], [0.01, 1.0]])), [0, 0, 0.01, 0], atol=1e-12)


def test_a_rotation_is_no_strain_and_counts_from_x_towards_y() -> None:
    np.testing.assert_allclose(measured(rotation(4.0)), [0, 0, 0, 4.0], atol=1e-12)


def test_strain_is_given_along_the_axes_of_the_scan_after_the_rotation() -> None:
    strain = np.array([[1.01, 0.004], [0.004, 0.98]])
    np.testing.assert_allclose(measured(strain @ rotation(-7.0)), [-0.02, 0.01, 0.004, -7.0], atol=1e-12)


@pytest.mark.parametrize("basis", [[[0, 1], [1, 0]], [[-1, 0], [1, -1]], [[1, -1], [0, 1]]])
def test_it_does_not_matter_which_pair_of_discs_was_taken(basis: list[list[int]]) -> None:
    other = told(np.array(basis) @ deformed(np.diag([1.0, 1.02])))
    scalar = StrainXX(reference_mrad=tuple(LATTICE.ravel())).scalars([other], HERE[:1])[0]
    assert scalar.value == pytest.approx(0.02, abs=1e-12)


def test_the_reference_is_what_most_of_the_field_has() -> None:
    readings = [told(LATTICE)] * 25 + [told(deformed(np.diag([1.0, 1.05])))] * 10
    values = [scalar.value for scalar in StrainXX().scalars(readings, HERE[:35])]
    np.testing.assert_allclose(values, [0.0] * 25 + [0.05] * 10, atol=1e-12)


def test_a_first_site_in_another_grain_does_not_spoil_the_reference() -> None:
    other = told(LATTICE @ rotation(29.0).T * 1.2)
    readings = [other, *[told(LATTICE)] * 20]
    np.testing.assert_allclose(np.abs(np.linalg.det(common_lattice(readings))), np.abs(np.linalg.det(LATTICE)))


def test_another_grain_is_not_called_strain() -> None:
    readings = [told(LATTICE)] * 20 + [told(LATTICE * 1.5)]
    scalar = StrainXX().scalars(readings, HERE[:21])[-1]
    assert not scalar.valid
    assert "another grain" in scalar.reason


def test_vacuum_keeps_its_reason_and_stays_out_of_the_reference() -> None:
    readings = [told(LATTICE), Reading.invalid("no disc"), told(LATTICE)]
    scalars = StrainYY().scalars(readings, HERE[:3])
    assert [scalar.valid for scalar in scalars] == [True, False, True]
    assert scalars[1].reason == "no disc"


def test_no_reference_is_known_where_nothing_was_measured() -> None:
    assert common_lattice([Reading.invalid("no disc")]) is None


def test_a_single_pattern_needs_a_given_reference(flake: list[Pattern]) -> None:
    assert "no reference lattice" in StrainXX()(flake[0]).reason


def test_a_single_pattern_is_measured_against_a_given_reference(flake: list[Pattern]) -> None:
    reference = StrainXX().reading(flake[0]).values[:4]
    assert StrainXX(reference_mrad=reference)(flake[0]).value == pytest.approx(0.0, abs=1e-12)


def test_a_rotated_and_mirrored_camera_gives_the_same_strain(flake: list[Pattern]) -> None:
    mirrored = [replace(pattern, values=np.rot90(pattern.values, -1)[::-1]) for pattern in flake[:12]]
    for kind in KINDS:
        straight, turned = kind(), kind(rotation_deg=-90.0, flip=True)
        one, other = (
            [s.value for s in scalarizer.scalars([scalarizer.reading(p) for p in patterns], HERE[:12])]
            for scalarizer, patterns in ((straight, flake[:12]), (turned, mirrored))
        )
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_noise_is_predicted_from_the_counts(kind: type[StrainXX], noisy: list[Reading]) -> None:
    scalars = kind().scalars(noisy, np.zeros((len(noisy), 2)))
    predicted = np.mean([scalar.noise_variance for scalar in scalars])
    assert predicted / np.var([scalar.value for scalar in scalars]) == pytest.approx(1.0, abs=0.3)


@pytest.mark.parametrize("name", ["strain_xx", "strain_yy", "strain_xy", "lattice_rotation"])
def test_each_component_is_known_by_name_and_uses_the_field(name: str) -> None:
    scalarizer = get_scalarizer(name)
    assert scalarizer.raw_kind == "pattern"
    assert field_scalarizer(scalarizer) is not None


@pytest.mark.parametrize("options", [{"rotation_deg": np.inf}, {"reference_mrad": (1.0, 2.0, 2.0, 4.0)}])
def test_options_without_meaning_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        StrainXX(**options)


def test_strain_of_the_lattice_agrees_with_its_mean_distance(flake: list[Pattern]) -> None:
    readings = [StrainXX().reading(pattern) for pattern in flake]
    xx, yy = ([s.value for s in kind().scalars(readings, np.zeros((len(flake), 2)))] for kind in (StrainXX, StrainYY))
    mean = [get_scalarizer("bragg_distance")(pattern).value for pattern in flake]
    both = np.array([xx, yy]).mean(axis=0)
    kept = np.isfinite(both) & np.isfinite(mean) & (np.abs(both) < 0.03)
    assert np.corrcoef(both[kept], -np.array(mean)[kept])[0, 1] > 0.98


def test_the_deformation_of_the_reference_itself_is_none() -> None:
    assert Deformation.between(LATTICE, LATTICE).sensible
