"""How many electrons the sample received, and where."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dkl_core.errors import InstrumentError
from nionswift_plugin.dkl.acquisition.position import FrameGeometry

ELEMENTARY_CHARGE_C = 1.602176634e-19
A_PER_NM = 10.0
_ROUNDING = 1e-9
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Charge:
    """What one exposure costs the sample.

    Attributes:
        seconds: for how long the beam was on it, s.
        electrons: electrons that hit it, None when the beam current is unknown.
        dose: electrons per square angstrom at the exposed place, None when the beam current is unknown.
    """

    seconds: float
    electrons: float | None = None
    dose: float | None = None

    def __add__(self, other: Charge) -> Charge:
        """Both together, at one place."""
        return Charge(self.seconds + other.seconds, _sum(self.electrons, other.electrons), _sum(self.dose, other.dose))

    def to_json(self) -> dict[str, float | None]:
        """As JSON-compatible values."""
        return {"seconds": self.seconds, "electrons": self.electrons, "dose": self.dose}


NOTHING = Charge(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Region:
    """A part of the frame, in fractions.

    Attributes:
        centre: (y, x).
        size: (height, width).
    """

    centre: tuple[float, float] = (0.5, 0.5)
    size: tuple[float, float] = (1.0, 1.0)


class DoseAccount:
    """The sum of all exposures, per place of the survey frame.

    Args:
        geometry: the survey frame.
        current_pa: beam current, pA; None if unknown.
        probe_nm: diameter of the area that a static probe exposes, nm.
        limit: so many electrons may hit the sample in all; None for no limit.
    """

    def __init__(
        self, geometry: FrameGeometry, current_pa: float | None, probe_nm: float, limit: float | None = None
    ) -> None:
        self._geometry, self._probe_nm, self._limit = geometry, probe_nm, limit
        self.current_pa = current_pa
        self._lock = threading.Lock()
        self._electrons = 0.0
        self._map = np.zeros(geometry.shape)
        self._rows, self._cols = np.indices(geometry.shape)

    @property
    def electrons(self) -> float | None:
        """Electrons so far, None when the beam current is unknown."""
        return None if self.current_pa is None else self._electrons

    @property
    def map_e_per_a2(self) -> FloatArray:
        """Electrons per square angstrom received by each pixel of the survey frame; a copy."""
        with self._lock:
            return self._map / self._pixel_a2

    def at(self, fraction: ArrayLike) -> float | None:
        """Electrons per square angstrom received by a place so far, None when the beam current is unknown."""
        if self.current_pa is None:
            return None
        return float(self._map[self._nearest(fraction)] / self._pixel_a2)

    def permit(self, cost: Charge) -> None:
        """Let an exposure happen only if the electrons suffice.

        Raises:
            InstrumentError: they do not.
        """
        limit, so_far = self._limit, self.electrons
        if limit is None or so_far is None or cost.electrons is None or so_far + cost.electrons <= limit:
            return
        raise InstrumentError(
            f"the next exposure takes about {cost.electrons:.3g} electrons, and {so_far:.3g} of the {limit:.3g} that "
            "are allowed have been used; raise max_electrons to go on"
        )

    def cost_of_pattern(self, seconds: float) -> Charge:
        """What a static probe costs that is on the sample for so long, s."""
        return self._charge(seconds, max(np.pi / 4 * (self._probe_nm * A_PER_NM) ** 2, self._pixel_a2))

    def cost_of_scan(self, seconds: float, region: Region) -> Charge:
        """What a scan of a part of the frame costs that takes so long, s."""
        height, width = region.size
        return self._charge(seconds, height * width * (self._geometry.fov_nm * A_PER_NM) ** 2)

    def add_pattern(self, fraction: ArrayLike, seconds: float) -> Charge:
        """Count a static probe at a place of the survey."""
        charge = self.cost_of_pattern(seconds)
        self._add(charge, self._disc(fraction))
        return charge

    def add_scan(self, seconds: float, region: Region) -> Charge:
        """Count a scan of a part of the frame."""
        charge = self.cost_of_scan(seconds, region)
        self._add(charge, self._rectangle(region))
        return charge

    @property
    def _pixel_a2(self) -> float:
        return (self._geometry.pixel_nm * A_PER_NM) ** 2

    def _charge(self, seconds: float, area_a2: float) -> Charge:
        if self.current_pa is None:
            return Charge(seconds)
        electrons = self.current_pa * 1e-12 * seconds / ELEMENTARY_CHARGE_C
        return Charge(seconds, electrons, electrons / area_a2)

    def _add(self, charge: Charge, where: NDArray[np.bool_]) -> None:
        with self._lock:
            self._electrons += charge.electrons or 0.0
            if where.any():
                self._map[where] += (charge.electrons or 0.0) / int(where.sum())

    def _disc(self, fraction: ArrayLike) -> NDArray[np.bool_]:
        row, col = self._geometry.to_pixels(fraction)
        radius = self._probe_nm / 2 / self._geometry.pixel_nm
        disc = (self._rows - row) ** 2 + (self._cols - col) ** 2 <= radius**2
        disc[self._nearest(fraction)] = True
        return np.asarray(disc)

    def _nearest(self, fraction: ArrayLike) -> tuple[int, int]:
        last = np.asarray(self._geometry.shape) - 1
        row, col = np.clip(np.rint(self._geometry.to_pixels(fraction)), 0, last)
        return int(row), int(col)

    def _rectangle(self, region: Region) -> NDArray[np.bool_]:
        (cy, cx), (height, width) = region.centre, region.size
        fractions = self._geometry.to_fractions(np.stack([self._rows, self._cols], axis=-1))
        within = (fractions - np.asarray((cy, cx))) / np.asarray((height, width)) + 0.5
        # a pixel on the edge belongs to one side only
        return np.asarray(np.all((within >= -_ROUNDING) & (within < 1 - _ROUNDING), axis=-1))


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other
