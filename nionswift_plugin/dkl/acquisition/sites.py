"""Measuring one site: where the probe goes, its pattern or patterns, the scalar, the dose."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from functools import reduce
from operator import add
from statistics import median

import numpy as np
from numpy.typing import NDArray

from dkl_core.errors import MeasurementError
from dkl_core.measurement import Measurement, Site
from nionswift_plugin.dkl.acquisition.dose import NOTHING, Charge
from nionswift_plugin.dkl.acquisition.position import FrameGeometry
from nionswift_plugin.dkl.acquisition.scalars import SiteScalars
from nionswift_plugin.dkl.acquisition.settings import HookSettings
from nionswift_plugin.dkl.acquisition.station import Ready
from nionswift_plugin.dkl.acquisition.taking import TakenPattern

FloatArray = NDArray[np.float64]
# What unblanking, starting the camera and blanking add to an exposure, until it has been measured, s.
OVERHEAD_S = 0.03


class SiteTaker:
    """Measures sites.

    Args:
        ready: the instrument.
        scalars: makes the scalars.
        settings: margin, exposure.
        drift_nm: how far the sample has moved by now (y, x) along the frame's axes, nm.
        clock: monotonic time, s.
    """

    def __init__(
        self,
        ready: Ready,
        scalars: SiteScalars,
        settings: HookSettings,
        drift_nm: Callable[[], FloatArray],
        clock: Callable[[], float],
    ) -> None:
        self._ready, self._scalars, self._settings = ready, scalars, settings
        self._drift_nm, self._clock = drift_nm, clock
        self._exposed_s: deque[float] = deque(maxlen=20)

    def measure(self, site: Site, charges: list[Charge]) -> Measurement:
        """The measurement of a site.

        Args:
            site: the site.
            charges: what each pattern cost the sample is appended, whether the site succeeds or not.

        Raises:
            MeasurementError: it has left the frame, or no undisturbed pattern came.
            InstrumentError: the instrument cannot go on, or somebody asked to stop.
        """
        began_s, drift_nm = self._clock(), self._drift_nm()
        places, positions = self._places(site, drift_nm)
        taken = [self._take(*each, charges) for each in zip(places, positions, strict=True)]
        ready, geometry = self._ready, self._ready.bench.context.geometry
        calibration = ready.calibration
        patterns = [
            ready.care.corrected(one.data, calibration.mrad_per_px, calibration.counts_per_electron) for one in taken
        ]
        position_nm = geometry.to_frame_nm(positions.mean(axis=0)).tolist()
        result = self._scalars.of(patterns, (position_nm[0], position_nm[1]))
        details: dict[str, object] = {
            "position_nm": position_nm,
            "drift_nm": drift_nm.tolist(),
            "spoilt": [problem for one in taken for problem in one.problems],
            "dose_so_far": ready.account.at(places.mean(axis=0)),
        }
        if result.reading is not None:
            details["reading"] = result.reading.to_json()
        total = together(charges)
        return Measurement(
            result.scalar, self._raw(taken), self._clock() - began_s, total.dose, details, total.electrons
        )

    def cost(self) -> Charge:
        """What the next site will cost, by the exposure and the overhead of the last ones."""
        seconds = median(self._exposed_s) if self._exposed_s else self._settings.pattern.exposure_ms / 1000 + OVERHEAD_S
        one = self._ready.account.cost_of_pattern(seconds)
        return together([one] * len(self._offsets_nm))

    @property
    def _offsets_nm(self) -> FloatArray:
        block = self._scalars.block
        return np.zeros((1, 2)) if block is None else block.offsets_nm

    def _one(self) -> Charge:
        """What a pattern costs, at most by what the last ones did."""
        expected = self._settings.pattern.exposure_ms / 1000 + OVERHEAD_S
        return self._ready.account.cost_of_pattern(max(self._exposed_s, default=expected))

    def _take(self, place: FloatArray, position: FloatArray, charges: list[Charge]) -> TakenPattern:
        tries: list[Charge] = []
        account = self._ready.account
        try:
            taken = self._ready.patterns.take(
                position, lambda: account.permit(self._one()), lambda s: tries.append(account.add_pattern(place, s))
            )
        finally:
            if tries:
                charges.append(reduce(add, tries))
        self._exposed_s.append(tries[-1].seconds)
        return taken

    def _places(self, site: Site, drift_nm: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Places of the survey (n², 2), and where they are in the frame by now, both as fractions."""
        geometry: FrameGeometry = self._ready.bench.context.geometry
        offsets = self._offsets_nm / geometry.fov_nm
        centre = geometry.to_fractions((site.row, site.col))
        reach = self._settings.margin + float(np.abs(offsets).max(initial=0.0))
        moved = centre + drift_nm / geometry.fov_nm
        if not geometry.contains(moved):
            moved_nm = ", ".join(f"{part:.2f}" for part in drift_nm)
            raise MeasurementError(f"the site has left the scan frame: the sample drifted by ({moved_nm}) nm (y, x)")
        if reach >= 0.5:
            raise MeasurementError(f"a block of {len(offsets)} patterns does not fit into the scan frame")
        kept = geometry.clamped(moved, reach)
        return kept - drift_nm / geometry.fov_nm + offsets, kept + offsets

    def _raw(self, taken: list[TakenPattern]) -> NDArray[np.generic]:
        if len(taken) == 1:
            return taken[0].data
        stack, n = np.stack([one.data for one in taken]), math.isqrt(len(taken))
        return stack.reshape(n, n, *stack.shape[1:])


def together(charges: list[Charge]) -> Charge:
    """Charges of different places: electrons and seconds add up, the dose is that of the place with most."""
    doses = [charge.dose for charge in charges if charge.dose is not None]
    total = reduce(add, charges, NOTHING)
    return Charge(total.seconds, total.electrons, max(doses, default=None) if doses or charges else 0.0)
