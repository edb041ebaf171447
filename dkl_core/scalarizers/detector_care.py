"""Care of the detector, in one place: dark level, gain, bad pixels, saturation, calibration."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dkl_core.errors import InputError
from dkl_core.scalarizers.pattern import BoolArray, FloatArray, Pattern

# A pixel whose dark level or noise stands out by so many robust deviations is not trusted.
_OUTLYING = 8.0
_MOST_BAD = 0.1
_TO_SIGMA = 1.4826
_NEIGHBOURS = tuple((row, col) for row in (-1, 0, 1) for col in (-1, 0, 1) if (row, col) != (0, 0))


@dataclass(frozen=True, eq=False)
class DetectorCare:
    """What turns the counts of a camera into a `Pattern`.

    Attributes:
        dark: counts without beam, one number or (rows, columns).
        gain: relative response of the pixels (rows, columns), about 1; None where it is not known.
        bad: pixels not to be trusted (rows, columns); they are filled in from their neighbours. None for none.
        saturation_level: raw counts at which a pixel is saturated; None if there is no such level.
        read_noise_counts: noise of a pixel without beam, counts rms; 0 where it is not known.

    Raises:
        InputError: shapes that do not agree, a gain that is not positive, or no good pixel.
    """

    dark: FloatArray | float = 0.0
    gain: FloatArray | None = None
    bad: BoolArray | None = None
    saturation_level: float | None = None
    read_noise_counts: float = 0.0

    def __post_init__(self) -> None:
        shapes = {np.shape(part) for part in (self.dark, self.gain, self.bad) if part is not None and np.ndim(part)}
        if len(shapes) > 1:
            raise InputError(f"dark, gain and bad pixels have the shapes {sorted(shapes)}; give them for one camera")
        if not (math.isfinite(self.read_noise_counts) and self.read_noise_counts >= 0):
            raise InputError(f"read_noise_counts is {self.read_noise_counts}; give 0 or the counts rms per pixel")
        if not np.isfinite(self.dark).all():
            raise InputError("the dark level is not finite; give counts")
        if self.gain is not None and not (np.isfinite(self.gain).all() and (np.asarray(self.gain) > 0).all()):
            raise InputError("the gain has values that are not positive; mark such pixels as bad and give them gain 1")
        if self.bad is not None and np.asarray(self.bad).all():
            raise InputError("all pixels are marked as bad; give the mask of the bad ones only")

    @classmethod
    def from_dark(cls, frames: ArrayLike, *, saturation_level: float | None = None) -> Self:
        """Care learned from frames taken with the beam blanked: each pixel's dark level, hot pixels, read noise.

        Args:
            frames: (n, rows, columns) counts; 2 or more tell the read noise, 8 or more flickering pixels as well.
            saturation_level: raw counts at which a pixel is saturated.

        Raises:
            InputError: not a stack of frames, or a tenth of the pixels stand out in it.
        """
        stack = np.asarray(frames, dtype=np.float64)
        if stack.ndim != 3 or len(stack) == 0:
            raise InputError(f"the dark frames have shape {stack.shape}; give (frames, rows, columns)")
        dark: FloatArray = stack.mean(axis=0)
        noise = stack.std(axis=0)
        # The mean of few frames is itself noisy, a level that is the same everywhere is not.
        spread = max(_robust_sigma(dark), float(np.median(noise)) / math.sqrt(len(stack)), 0.5)
        bad = np.abs(dark - np.median(dark)) > _OUTLYING * spread
        if len(stack) >= 8:
            bad |= noise > np.median(noise) + _OUTLYING * max(_robust_sigma(noise), 0.5)
        if np.count_nonzero(bad) > _MOST_BAD * bad.size:
            raise InputError(
                f"{np.count_nonzero(bad)} of {bad.size} pixels differ from the others in the dark frames; check that "
                "the beam was blanked"
            )
        read_noise = math.sqrt(float(stack.var(axis=0, ddof=1)[~bad].mean())) if len(stack) > 1 else 0.0
        return cls(dark, None, bad if bad.any() else None, saturation_level, read_noise)

    def corrected(
        self,
        raw: NDArray[np.generic],
        mrad_per_px: float,
        counts_per_electron: float | None = None,
        centre_px: tuple[float, float] | None = None,
    ) -> Pattern:
        """A pattern of raw counts.

        Args:
            raw: counts as the camera gave them (rows, columns).
            mrad_per_px: angle per pixel, mrad.
            counts_per_electron: counts that one electron gives, None if unknown.
            centre_px: (row, column) of the undeflected beam, None if unknown.

        Raises:
            InputError: a frame of another size.
        """
        self._require_shape(raw.shape)
        saturated = 0
        if self.saturation_level is not None:
            full = raw >= self.saturation_level  # type: ignore[operator]
            saturated = int(np.count_nonzero(full if self.bad is None else full & ~self.bad))
        values = raw.astype(np.float64)
        values -= self.dark
        if self.gain is not None:
            values /= self.gain
        if self.bad is not None:
            self._fill(values)
        return Pattern(values, mrad_per_px, centre_px, counts_per_electron, saturated, self.bad, self.read_noise_counts)

    def _require_shape(self, shape: tuple[int, ...]) -> None:
        for part in (self.dark, self.gain, self.bad):
            if part is not None and np.ndim(part) and np.shape(part) != shape:
                raise InputError(
                    f"the frame has shape {shape}, the detector's care is for {np.shape(part)}; take new dark frames "
                    "with the present binning and read-out"
                )

    def _fill(self, values: FloatArray) -> None:
        """Fill the bad pixels with the median of their good neighbours, from the rim of a group to its middle."""
        flat = values.reshape(-1)
        for pixels, neighbours, usable in self._layers:
            flat[pixels] = np.nanmedian(np.where(usable, flat[neighbours], np.nan), axis=1)

    @cached_property
    def _layers(self) -> tuple[tuple[NDArray[np.intp], NDArray[np.intp], BoolArray], ...]:
        """Bad pixels that have good neighbours, these neighbours, and which of the 8 can be used; then the next."""
        assert self.bad is not None
        left, layers = np.asarray(self.bad, dtype=np.bool_).copy(), []
        while left.any():
            pixels = np.flatnonzero(left)
            neighbours, inside = _neighbours(pixels, (left.shape[0], left.shape[1]))
            usable = inside & ~left.ravel()[neighbours]
            now = usable.any(axis=1)
            layers.append((pixels[now], neighbours[now], usable[now]))
            left.ravel()[pixels[now]] = False
        return tuple(layers)


def _neighbours(pixels: NDArray[np.intp], shape: tuple[int, int]) -> tuple[NDArray[np.intp], BoolArray]:
    """Flat indices of the 8 neighbours of pixels, (N, 8), and which of them are inside the frame."""
    near = np.stack(np.unravel_index(pixels, shape), axis=1)[:, None, :] + np.array(_NEIGHBOURS)
    inside = ((near >= 0) & (near < np.array(shape))).all(axis=2)
    near = np.clip(near, 0, np.array(shape) - 1)
    return near[..., 0] * shape[1] + near[..., 1], inside


def _robust_sigma(values: FloatArray) -> float:
    return float(np.median(np.abs(values - np.median(values)))) * _TO_SIGMA
