"""What describes the structure round a site: the power of the window's lattice waves, or the window itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dkl_core.errors import InputError
from dkl_core.patches import Patches

DescriptorName = Literal["fft", "patch", "atoms"]
Rows = NDArray[np.float32]

_SCALE_SAMPLE = 256
_CHUNK_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Descriptor:
    """Turns windows into rows of numbers that do not depend on what else is described.

    `fft` gives log(1 + |F| / s), F the Fourier transform of the window less its mean under a Hann taper, and s the
    median of |F| over some windows of the image: it forgets where in the window the lattice begins. Only the half of
    the frequencies that is not repeated is kept. `patch` gives the pixels, less the least value seen. `atoms` gives the
    same under a round taper, cos^2(π r / w) at the distance r from the middle of a window of edge w: the atom there
    counts most and its neighbours less, so that a foreign atom shows in its own window rather than in those of all
    atoms round it, and turning the window takes nothing out of view.

    Attributes:
        name: `fft`, `patch` or `atoms`.
        window: edge of the window in px.
        scale: s of `fft`, in the image's units; 1 for the others.
        offset: what `patch` and `atoms` subtract, so that their rows are positive; 0 for `fft`.
    """

    name: DescriptorName
    window: int
    scale: float = 1.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        if self.name not in get_args(DescriptorName):
            raise InputError(f"unknown descriptor {self.name!r}; choose one of {', '.join(get_args(DescriptorName))}")
        if self.name == "fft" and self.window < 4:
            raise InputError(f"the window is {self.window} px; a Fourier transform of it says something from 4 px on")

    @classmethod
    def of(cls, name: DescriptorName, patches: Patches) -> Descriptor:
        """The descriptor for an image, scaled by a sample of its windows."""
        some = patches.take(np.linspace(0, len(patches) - 1, min(len(patches), _SCALE_SAMPLE)).astype(np.int64))
        if name != "fft":
            return cls(name, patches.window, offset=float(some.min()))
        bare = cls(name, patches.window)
        return cls(name, patches.window, scale=float(np.median(bare.magnitudes(some))) or 1.0)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of what one window becomes."""
        return (self.window, self.window // 2 + 1) if self.name == "fft" else (self.window, self.window)

    def describe(self, windows: NDArray[np.floating]) -> Rows:
        """The descriptors of windows (n, window, window), shape (n, d).

        Raises:
            InputError: windows of another size, or with pixels that are no numbers.
        """
        if windows.ndim != 3 or windows.shape[1:] != (self.window, self.window):
            raise InputError(f"the windows have shape {windows.shape}; give (n, {self.window}, {self.window})")
        if not np.isfinite(windows).all():
            raise InputError("a window holds NaN or infinite pixels; leave such sites out, or fill the pixels")
        if self.name == "fft":
            rows = np.log1p(self.magnitudes(windows) / self.scale)
        else:
            rows = np.maximum(windows - self.offset, 0.0)
        if self.name == "atoms":
            rows = rows * round_taper(self.window)
        described: Rows = rows.reshape(len(windows), -1).astype(np.float32)
        return described

    def at(self, patches: Patches, indices: ArrayLike) -> Rows:
        """The descriptors of some sites, made now, shape (n, d)."""
        chosen = np.asarray(indices, dtype=np.int64)
        parts = [self.describe(patches.take(chosen[part])) for part in self._parts(len(chosen))]
        return np.concatenate(parts) if parts else np.empty((0, self.shape[0] * self.shape[1]), dtype=np.float32)

    def chunks(self, patches: Patches) -> Iterator[tuple[slice, Rows]]:
        """The descriptors of all sites, a part at a time, each with the slice of sites it belongs to."""
        for part in self._parts(len(patches)):
            yield part, self.describe(patches.take(np.arange(part.start, part.stop)))

    def magnitudes(self, windows: NDArray[np.floating]) -> NDArray[np.floating]:
        """|F| of windows (n, window, window), frequency 0 in the middle row and the first column."""
        from scipy import fft

        taper = np.hanning(self.window + 2)[1:-1].astype(np.float32)
        flat = windows - windows.mean(axis=(1, 2), keepdims=True)
        transformed = fft.rfft2(flat * taper[:, None] * taper, axes=(1, 2))
        magnitudes: NDArray[np.floating] = np.fft.fftshift(np.abs(transformed), axes=1)
        return magnitudes

    def picture(self, row: NDArray[np.floating]) -> NDArray[np.floating]:
        """A descriptor (d,) as an image to look at; of `fft` both halves, frequency 0 in the centre."""
        half = row.reshape(self.shape)
        if self.name != "fft":
            return half
        # The other half is the same turned by 180 degrees; for an even window row 0 has no partner and is left out.
        first = 1 - self.window % 2
        inner = half[first:]
        return np.concatenate([inner[::-1, :0:-1], inner], axis=1)

    def _parts(self, count: int) -> list[slice]:
        # The transform holds a window as complex numbers and a copy of it.
        size = max(_CHUNK_BYTES // (32 * self.window**2), 1)
        return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def round_taper(window: int) -> NDArray[np.float32]:
    """1 in the middle of a window, 0 at its edges and beyond the circle in it, (window, window)."""
    offsets = np.arange(window) - (window - 1) / 2
    away = np.minimum(np.hypot(offsets[:, None], offsets) / (window / 2), 1.0)
    taper: NDArray[np.float32] = (np.cos(0.5 * np.pi * away) ** 2).astype(np.float32)
    return taper
