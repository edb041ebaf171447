"""The reciprocal lattice of one pattern: two vectors fitted to its first-order discs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dkl_core.scalarizers.bragg_disc import Disc, FloatArray
from dkl_core.scalarizers.bragg_filling import uneven_variance
from dkl_core.scalarizers.bragg_search import FIRST_ORDER, Discs, find_discs
from dkl_core.scalarizers.pattern import BoolArray, Pattern

_LEAST_DISCS = 3
# how far, in lengths of the shorter vector, a disc of this lattice may be from where the lattice puts it
_FITS = 0.1
_LEAST_SINE = 0.5


@dataclass(frozen=True, eq=False)
class Lattice:
    """The reciprocal lattice that fits the first-order discs.

    Attributes:
        vectors_mrad: the two shortest vectors as rows of (y, x), mrad, less than a right angle (or one) apart.
        covariance_mrad2: (2, 2, 2): for y and for x the covariance of the two vectors' components, mrad², that of
            unevenly filled discs included; None where the noise is not known.
        discs: number of discs it was fitted to.
    """

    vectors_mrad: FloatArray
    covariance_mrad2: FloatArray | None
    discs: int

    @property
    def first_order(self) -> FloatArray:
        """Indices of the first-order discs, one of each opposite pair (three if hexagonal, two if square)."""
        candidates = np.array([(1, 0), (0, 1), (1, -1)])
        lengths = np.linalg.norm(candidates @ self.vectors_mrad, axis=1)
        first: FloatArray = candidates[lengths <= FIRST_ORDER * lengths.min()].astype(np.float64)
        return first

    def mean_distance_mrad(self) -> tuple[float, float | None]:
        """Mean distance of the first-order discs from the central one, mrad, and its variance, mrad²."""
        indices = self.first_order
        vectors = indices @ self.vectors_mrad
        lengths = np.linalg.norm(vectors, axis=1)
        slopes = indices.T @ (vectors / lengths[:, None]) / len(indices)
        if self.covariance_mrad2 is None:
            return float(lengths.mean()), None
        return float(lengths.mean()), float(np.einsum("ia,aij,ja->", slopes, self.covariance_mrad2, slopes))


def lattice_of(pattern: Pattern, semiangle_mrad: float | None, min_intensity: float) -> Lattice | str:
    """The reciprocal lattice of a pattern, or why there is none.

    Args:
        pattern: it may be anywhere on the camera; a calibrated centre is not needed.
        semiangle_mrad: radius of the discs, mrad; None to measure it.
        min_intensity: the least sum of a disc as a fraction of the pattern's.
    """
    found = find_discs(pattern, semiangle_mrad=semiangle_mrad, min_intensity=min_intensity)
    if found.centre is None or found.reason:
        return found.reason
    if len(found.first) < _LEAST_DISCS:
        return f"only {len(found.first)} first-order discs stand out; at least {_LEAST_DISCS} are needed"
    return _fitted(found.centre, found)


def _fitted(centre: Disc, found: Discs) -> Lattice | str:
    points = np.array([(disc.row - centre.row, disc.col - centre.col) for disc in found.first]) * found.mrad_per_px
    indices, fits = _indexed(points)
    if fits.sum() < _LEAST_DISCS:
        return f"only {int(fits.sum())} of {len(points)} first-order discs fit one lattice"
    discs = [disc for disc, kept in zip(found.first, fits, strict=True) if kept]
    # the centre is one point more, and the origin is fitted: with opposite discs it does not matter where it is
    design = np.vstack([np.column_stack([indices[fits], np.ones(len(discs))]), [0.0, 0.0, 1.0]])
    solver = np.linalg.pinv(design)[:2]
    vectors = solver @ np.vstack([points[fits], [0.0, 0.0]])
    change = _reduction(vectors)
    # as if all discs erred alike: beside an edge they do, and the mean of their distances is no better than each
    uneven = len(discs) * uneven_variance(found.tilts, found.radius_px)
    covariance = _covariance(change @ solver[:, :-1], discs, found.mrad_per_px, uneven)
    return Lattice(change @ vectors, covariance, len(discs))


def _indexed(points: FloatArray) -> tuple[FloatArray, BoolArray]:
    """The indices of all discs in that pair of them into whose lattice most fit."""
    best: tuple[FloatArray, BoolArray] = np.zeros(points.shape), np.zeros(len(points), dtype=np.bool_)
    for pair in itertools.combinations(range(len(points)), 2):
        basis = points[list(pair)]
        lengths = np.linalg.norm(basis, axis=1)
        if abs(np.linalg.det(basis)) < _LEAST_SINE * lengths.prod():
            continue
        indices: FloatArray = np.round(points @ np.linalg.inv(basis)).astype(np.float64)
        misfit = np.linalg.norm(points - indices @ basis, axis=1)
        fits = (misfit < _FITS * lengths.min()) & (np.abs(indices).max(axis=1) == 1)
        if fits.sum() > best[1].sum():
            best = indices, fits
        if fits.all():
            break
    return best


def _reduction(vectors: FloatArray) -> FloatArray:
    """The unimodular matrix that makes the two vectors the shortest, at most a right angle apart (Gauss)."""
    change = np.eye(2)
    for _ in range(20):
        short, long = change @ vectors
        if np.linalg.norm(long) < np.linalg.norm(short):
            change = change[::-1]
            continue
        times = round(float(short @ long) / float(short @ short))
        if times == 0:
            break
        change = np.array([change[0], change[1] - times * change[0]])
    short, long = change @ vectors
    return change if short @ long >= 0 else np.array([change[0], -change[1]])


def _covariance(solver: FloatArray, discs: Sequence[Disc], mrad_per_px: float, uneven_px2: float) -> FloatArray | None:
    known = [disc.variance_px2 for disc in discs if disc.variance_px2 is not None]
    if len(known) < len(discs):
        return None
    variances = (np.array(known) + uneven_px2) * mrad_per_px**2
    covariance: FloatArray = np.einsum("id,da,jd->aij", solver, variances, solver)
    return covariance
