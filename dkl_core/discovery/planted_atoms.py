"""Simulated images of atoms with foreign atoms at known places: what atom-centred discovery is tried and judged on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from dkl_core.errors import InputError
from dkl_core.survey import FloatArray, SurveyImage

if TYPE_CHECKING:
    from dkl_core.stem.samples import Sample

AtomKind = Literal["graphene_si", "twisted_bilayer"]
SILICON = 14
# 30 pA for 64 µs.
ELECTRONS_PER_PX = 12_000.0
MATCHED_NM = 0.05
"""An atom this near to one that was found, or nearer, is the one that was found."""


@dataclass(frozen=True, eq=False)
class PlantedAtoms:
    """An annular dark-field image of a sample whose atoms are known.

    Attributes:
        survey: the image, in fractions of the beam or in electrons.
        atoms: all atoms inside the image as (row, col) in px (n, 2).
        dopants: the silicon among them (k, 2).
    """

    survey: SurveyImage
    atoms: FloatArray
    dopants: FloatArray


def planted_atoms(
    kind: AtomKind = "graphene_si",
    *,
    field_nm: float = 4.0,
    pixel_nm: float = 0.02,
    electrons: float | None = ELECTRONS_PER_PX,
    twist_deg: float = 21.8,
    rotation_deg: float = 11.0,
    dopants: int = 5,
    seed: int = 0,
) -> PlantedAtoms:
    """One layer of graphene, or two that are turned against each other, with groups of one or three silicon atoms.

    Args:
        kind: one layer or two.
        field_nm: edge of the image, nm.
        pixel_nm: edge of a pixel, nm.
        electrons: of the beam in each pixel, for shot noise; None leaves it out.
        twist_deg: angle between two layers, degrees.
        rotation_deg: angle of the lattice from the columns, degrees.
        dopants: groups of silicon atoms.
        seed: of places and noise.

    Raises:
        InputError: settings that no sample can have.
    """
    from dkl_core.stem.samples import build_sample
    from dkl_core.stem.settings import DopantSettings, HoleSettings, SampleSettings

    if not 0 < pixel_nm <= 0.05:
        raise InputError(f"pixel_nm is {pixel_nm:g}; atoms show from pixels of 0.05 nm on, give a number up to that")
    settings = SampleSettings(
        kind, field_nm=field_nm, rotation_deg=rotation_deg, twist_deg=twist_deg,
        dopants=DopantSettings(count=dopants), holes=HoleSettings(count=0, windows=0), seed=seed,
    )  # fmt: skip
    sample = build_sample(settings)
    size = round(field_nm / pixel_nm)
    planted = known_atoms(
        SurveyImage(dark_field(sample, size, pixel_nm), (pixel_nm, pixel_nm)),
        sample.atoms.positions_nm[:, :2] / pixel_nm + (size - 1) / 2,
        sample.atoms.numbers,
    )
    return planted if electrons is None else with_shot_noise(planted, electrons, seed)


def dark_field(sample: Sample, size: int, pixel_nm: float) -> FloatArray:
    """The annular dark-field image (size, size) of a sample round its middle, in fractions of the beam."""
    from dkl_core.stem.scatterer import Scatterer

    line = (np.arange(size) - (size - 1) / 2) * pixel_nm
    return Scatterer(sample, lazy=True).haadf(line[:, None], line).astype(np.float64)


def known_atoms(survey: SurveyImage, positions: FloatArray, numbers: NDArray[np.integer]) -> PlantedAtoms:
    """An image with the atoms (n, 2) in px that lie inside of it, whose atomic numbers (n,) are known."""
    inside = ((positions >= -0.5) & (positions <= np.array(survey.shape) - 0.5)).all(axis=1)
    atoms = np.asarray(positions[inside], dtype=np.float64)
    return PlantedAtoms(survey, atoms, atoms[numbers[inside] == SILICON])


def with_shot_noise(planted: PlantedAtoms, electrons: float, seed: int = 0) -> PlantedAtoms:
    """The same in counted electrons, of an image in fractions of the beam."""
    rng = np.random.default_rng([seed, 7])
    noisy = rng.poisson(np.maximum(planted.survey.values, 0.0) * electrons).astype(np.float64)
    return replace(planted, survey=replace(planted.survey, values=noisy))


def dopants_among(planted: PlantedAtoms, visited: FloatArray) -> NDArray[np.bool_]:
    """Which dopants (k,) are among visited positions (n, 2) in px: one is within half an ångström."""
    from scipy.spatial import KDTree

    if len(visited) == 0 or len(planted.dopants) == 0:
        return np.zeros(len(planted.dopants), dtype=bool)
    pixel = planted.survey.pixel_nm or (1.0, 1.0)
    distance, _ = KDTree(visited).query(planted.dopants)
    met: NDArray[np.bool_] = distance * max(pixel) <= MATCHED_NM
    return met
