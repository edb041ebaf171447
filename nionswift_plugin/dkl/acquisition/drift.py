"""Following the sample: small reference scans, registered with the survey image."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import numpy as np
from nion.instrumentation.scan_base import ScanFrameParameters
from nion.utils import Geometry
from numpy.typing import NDArray
from scipy import ndimage

from dkl_core.errors import MeasurementError
from nionswift_plugin.dkl.acquisition.dose import Region
from nionswift_plugin.dkl.acquisition.position import FrameGeometry
from nionswift_plugin.dkl.acquisition.registration import Match, find
from nionswift_plugin.dkl.acquisition.settings import DriftSettings

FloatArray = NDArray[np.float64]
Pair = tuple[float, float]
# The rate of drift is taken from the last few references.
_RATE_OVER = 4
# So many standard deviations of chance a correlation has to be.
_SURELY = 4.0
# Variance of a found position over that of drift rates (0.03 nm, 0.05 nm/s), s²: over a short time a difference says
# little about the rate.
_RATE_PRIOR_S2 = 0.36


class DriftError(MeasurementError):
    """A reference scan cannot be believed."""


@dataclass(frozen=True)
class DriftPoint:
    """The sample's displacement since the survey.

    Attributes:
        time_s: when, on the acquisition's clock, s.
        drift_nm: how far the sample has moved, (y, x) along the frame's axes, nm.
        score: correlation coefficient of the reference scan with the survey.
    """

    time_s: float
    drift_nm: Pair
    score: float = 1.0


class DriftPath:
    """Where the sample was, and where it should be now.

    Args:
        time_s: when the survey was taken (its middle), s.
        start: where the sample was then; None for no displacement.
    """

    def __init__(self, time_s: float, start: DriftPoint | None = None) -> None:
        self._points = [start or DriftPoint(time_s, (0.0, 0.0))]

    @property
    def points(self) -> tuple[DriftPoint, ...]:
        """The survey and all reference scans."""
        return tuple(self._points)

    def add(self, point: DriftPoint) -> None:
        """Take a reference scan into account."""
        self._points.append(point)

    def rate_nm_per_s(self) -> FloatArray:
        """The present rate of drift (y, x), nm/s: a line through the last few points, shrunk if they are too close."""
        last = self._points[-_RATE_OVER:]
        times = np.asarray([point.time_s for point in last])
        moved = np.asarray([point.drift_nm for point in last])
        spread = times - times.mean()
        return np.asarray(spread @ (moved - moved.mean(axis=0)) / (spread @ spread + _RATE_PRIOR_S2), dtype=np.float64)

    def at(self, time_s: float) -> FloatArray:
        """The expected displacement (y, x), nm: the last measured one, moved on at the present rate."""
        last = self._points[-1]
        return np.asarray(last.drift_nm) + self.rate_nm_per_s() * (time_s - last.time_s)


class DriftFollower:
    """Says when a reference scan is due, what it scans and what it tells.

    Args:
        settings: when and how.
        geometry: the survey frame.
        survey: the survey image (rows, cols).
        time_s: when it was taken (its middle), s.
    """

    def __init__(self, settings: DriftSettings, geometry: FrameGeometry, survey: FloatArray, time_s: float) -> None:
        self._settings, self._geometry = settings, geometry
        self._survey = _filled(survey)
        self._home = _richest(self._survey, self._pixels)
        self.path = DriftPath(time_s)
        self._sites = 0
        self._last_s = time_s
        self._starts_anew = False

    def count_site(self) -> None:
        """One more site was measured."""
        self._sites += 1

    def is_due(self, now_s: float) -> bool:
        """Whether the next thing to do is a reference scan."""
        at = self._settings
        by_number = at.every_sites is not None and self._sites >= at.every_sites
        return self._starts_anew or by_number or (at.every_s is not None and now_s - self._last_s >= at.every_s)

    def demand(self) -> None:
        """Make a reference scan due, from which the path starts anew: nobody knows how the sample got there."""
        self._starts_anew = True

    def region(self, now_s: float) -> Region:
        """The part of the frame that the next reference scan covers; it moves with the sample."""
        if self._settings.kind == "frame":
            return Region()
        share = self._pixels / self._geometry.shape[0]
        expected = self._geometry.to_fractions(self._home) + self.path.at(now_s) / self._geometry.fov_nm
        y, x = np.clip(expected, share / 2, 1 - share / 2)
        return Region((float(y), float(x)), (share, share))

    def parameters(self, survey: ScanFrameParameters, region: Region) -> ScanFrameParameters:
        """The survey's parameters (a copy), reduced to a reference scan of a region."""
        reduced = copy.copy(survey)
        if self._settings.pixel_time_us is not None:
            reduced.pixel_time_us = self._settings.pixel_time_us
        size = Geometry.IntSize(self._pixels, self._pixels)
        if self._settings.kind == "frame":
            reduced.pixel_size = size
            return reduced
        reduced.subscan_pixel_size = size
        reduced.subscan_fractional_size = Geometry.FloatSize(*region.size)
        reduced.subscan_fractional_center = Geometry.FloatPoint(*region.centre)
        return reduced

    def follow(self, reference: FloatArray, region: Region, time_s: float) -> DriftPoint:
        """Learn from a reference scan.

        Args:
            reference: its image.
            region: what it covered.
            time_s: when it was taken (its middle), s.

        Raises:
            DriftError: it does not fit the survey where the sample can be.
        """
        expected = self.path.at(time_s)
        point, chance = self._measured(_filled(reference), region, time_s, expected)
        jump = float(np.hypot(*(np.asarray(point.drift_nm) - expected)))
        needed = max(self._settings.min_score, _SURELY * chance)
        if point.score < needed:
            raise DriftError(
                f"the reference scan does not resemble the survey image (correlation {point.score:.2f}, needed "
                f"{needed:.2f}); scan longer or more of the frame, and see that the sample is in it and in focus"
            )
        if jump > self._settings.max_jump_nm:
            raise DriftError(
                f"the reference scan says that the sample jumped by {jump:.2f} nm, more than the "
                f"{self._settings.max_jump_nm:g} nm that are believed"
            )
        if self._starts_anew:
            self.path = DriftPath(time_s, point)
            self._starts_anew = False
        else:
            self.path.add(point)
        self._sites, self._last_s = 0, time_s
        return point

    @property
    def _pixels(self) -> int:
        return max(round(self._settings.share * self._geometry.shape[0]), min(16, self._geometry.shape[0]))

    def _measured(
        self, reference: FloatArray, region: Region, time_s: float, expected: FloatArray
    ) -> tuple[DriftPoint, float]:
        """Where the sample is, and the correlation that noise alone would reach (a standard deviation)."""
        size_px = np.asarray(region.size) * np.asarray(self._geometry.shape)
        survey = _binned(self._survey, size_px / np.asarray(reference.shape))
        pixel_nm = self._geometry.fov_nm / survey.shape[0]
        radius = max(1.5 * self._settings.max_jump_nm / pixel_nm, 2.0)
        corner = (np.asarray(region.centre) - np.asarray(region.size) / 2) * np.asarray(survey.shape)
        template, cut = _cut(reference, corner, expected / pixel_nm, radius, survey.shape)
        place = corner + cut
        blur = self._settings.smooth_nm / pixel_nm
        template, survey = (ndimage.gaussian_filter(image, blur) if blur else image for image in (template, survey))
        match: Match = find(template, survey, _pair(place - expected / pixel_nm), radius)
        if not match.is_inside:
            raise DriftError("the sample has drifted so far that the reference scan leaves the survey image")
        independent = template.size / (1 + 4 * math.pi * blur**2)
        point = DriftPoint(time_s, _pair((place - match.position_px) * pixel_nm), match.score)
        return point, 1 / math.sqrt(independent)


def _cut(
    reference: FloatArray, corner: FloatArray, moved: FloatArray, radius: float, shape: tuple[int, ...]
) -> tuple[FloatArray, FloatArray]:
    """The part of a reference scan that stays within the survey wherever the sample is, and where that part begins."""
    limit = np.asarray(shape) - np.asarray(reference.shape)
    reach = math.ceil(radius) + 1
    first = np.maximum(np.ceil(reach + moved - corner), 0).astype(int)
    last = np.maximum(np.ceil(reach - moved - limit + corner), 0).astype(int)
    rows, cols = reference.shape
    part = reference[first[0] : rows - last[0], first[1] : cols - last[1]]
    if min(part.shape, default=0) < 8:
        raise DriftError("the sample has drifted so far that hardly anything of the survey image is left to compare")
    return part, first.astype(float)


def _binned(image: FloatArray, factor: FloatArray) -> FloatArray:
    """The image with pixels as large as the reference scan's."""
    if np.allclose(factor, 1.0, atol=1e-3):
        return image
    shape = np.maximum(np.rint(np.asarray(image.shape) / factor), 1).astype(int)
    # averaged over the new pixel first, as the probe of a coarse scan does not
    smooth = ndimage.gaussian_filter(image, 0.3 * factor)
    rows, cols = ((np.arange(count) + 0.5) * size / count - 0.5 for count, size in zip(shape, image.shape, strict=True))
    grid = np.meshgrid(rows, cols, indexing="ij")
    return np.asarray(ndimage.map_coordinates(smooth, grid, order=1, mode="nearest"), dtype=np.float64)


def _richest(image: FloatArray, pixels: int) -> Pair:
    """Centre (row, column) of the window with most contrast, not too near to the edge, where drift would end it."""
    smooth = ndimage.gaussian_filter(image, 1.0)
    mean = ndimage.uniform_filter(smooth, pixels, mode="nearest")
    contrast = np.sqrt(np.maximum(ndimage.uniform_filter(smooth**2, pixels, mode="nearest") - mean**2, 0.0))
    rows, cols = image.shape
    middle = (rows - 1) / 2, (cols - 1) / 2
    reach = max((rows - pixels) / 2 - rows / 8, 0.0)
    dy, dx = np.indices(image.shape) - np.asarray(middle)[:, None, None]
    allowed = np.maximum(np.abs(dy), np.abs(dx)) <= reach
    if not allowed.any():
        return middle
    row, col = np.unravel_index(int(np.argmax(np.where(allowed, contrast, -1.0))), image.shape)
    return float(row), float(col)


def _filled(image: FloatArray) -> FloatArray:
    values = np.asarray(image, dtype=np.float64)
    good = np.isfinite(values)
    return values if good.all() else np.where(good, values, values[good].mean() if good.any() else 0.0)


def _pair(values: FloatArray) -> Pair:
    return float(values[0]), float(values[1])
