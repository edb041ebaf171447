"""How long one nanobeam pattern of 256 × 256 pixels takes: `python -m benchmarks.bragg`."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from dkl_core.scalarizers import BraggDistance, Pattern, StrainXX
from dkl_core.scalarizers.pattern import FloatArray

ELECTRONS = 2e7
MRAD_PER_PX = 0.3
REPEATS = 100


def nanobeam_pattern(seed: int = 0) -> Pattern:
    """Six discs of 5 mrad, 21 mrad from the central one, each 1.4e-4 of the beam, with counting noise."""
    rows, cols = np.indices((256, 256))
    radius = 5.0 / MRAD_PER_PX
    angles = np.radians(np.arange(7.0, 367.0, 60.0))
    places = 21.0 / MRAD_PER_PX * np.column_stack([np.sin(angles), np.cos(angles)])

    def disc(row: float, col: float) -> FloatArray:
        away = np.hypot(rows - 126.3 - row, cols - 128.9 - col)
        values: FloatArray = np.clip(radius + 0.5 - away, 0.0, 1.0) / (np.pi * radius**2)
        return values

    clean = disc(0.0, 0.0) + 1.4e-4 * sum(disc(row, col) for row, col in places.tolist())
    counts = np.random.default_rng(seed).poisson(clean * ELECTRONS)
    return Pattern(counts.astype(np.float64), MRAD_PER_PX, counts_per_electron=1.0)


def milliseconds(
    function: Callable[[Pattern], object], pattern: Pattern, repeats: int = REPEATS
) -> tuple[float, float]:
    """Least and median time of a call, ms."""
    function(pattern)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function(pattern)
        times.append(1e3 * (time.perf_counter() - start))
    return min(times), float(np.median(times))


def main() -> None:
    """Print the times."""
    pattern = nanobeam_pattern()
    for name, function in (("bragg_distance", BraggDistance()), ("strain reading", StrainXX().reading)):
        least, median = milliseconds(function, pattern)
        print(f"{name:16s} 256 × 256: {least:.1f} ms at least, {median:.1f} ms median (bar: 10 ms)")


if __name__ == "__main__":
    main()
