"""What the scalarizers of diffraction patterns cost for each pattern: `python -m benchmarks.scalarizers`."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dkl_core.scalarizers import Pattern, PatternBlock, block_of, get_scalarizer
from dkl_core.stem import Optics, SampleSettings, Scatterer, build_sample

RESULTS = Path(__file__).parent / "results"
ELECTRONS = 1.87e6
CONVERGENT = ("com_x", "com_magnitude", "bright_field", "annular_bright_field", "annular_dark_field", "com_divergence")
NANOBEAM = ("bragg_distance", "strain_xx")


def patterns(kind: str, optics: Optics, size: int, count: int = 20) -> list[Pattern]:
    """Patterns of a sample at random places, with the noise of 10 ms at 30 pA."""
    sample = build_sample(SampleSettings.from_json({"kind": kind, "field_nm": 10.0}))
    scatterer = Scatterer(sample, optics, shape=(size, size))
    rng = np.random.default_rng(0)
    places: NDArray[np.float64] = rng.uniform(-3, 3, (count, 2))
    counts = [rng.poisson(scatterer.pattern(y, x) * ELECTRONS).astype(np.float64) for y, x in places]
    return [Pattern(one, scatterer.mrad_per_px, counts_per_electron=1.0) for one in counts]


def measured_ms(name: str, given: list[Pattern], repeats: int) -> tuple[float, float]:
    """Least and median time that a scalarizer takes for one pattern, ms."""
    scalarizer = get_scalarizer(name)
    shape = block_of(scalarizer)
    times = []
    for number in range(repeats + 1):
        raw: Pattern | PatternBlock = given[number % len(given)]
        if shape is not None:
            raw = PatternBlock(tuple(given[: shape.n**2]), shape.n, shape.step_nm)
        start = time.perf_counter()
        scalarizer(raw)
        times.append(1e3 * (time.perf_counter() - start) / (shape.n**2 if shape else 1))
    return min(times[1:]), float(np.median(times[1:]))


def sum_ms(given: list[Pattern], repeats: int) -> float:
    """Median time of a sum over one pattern, for comparing machines, ms."""
    times = []
    for number in range(repeats):
        start = time.perf_counter()
        given[number % len(given)].values.sum()
        times.append(1e3 * (time.perf_counter() - start))
    return float(np.median(times))


def main() -> None:
    """Measure, print, and write `results/scalarizers.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256, help="rows and columns of the patterns")
    parser.add_argument("--repeats", type=int, default=100)
    given = parser.parse_args()
    found: dict[str, dict[str, float]] = {}
    for names, kind, optics in (
        (CONVERGENT, "twisted_bilayer", Optics()),
        (NANOBEAM, "strained_flake", Optics(semiangle_mrad=5.0)),
    ):
        seen = patterns(kind, optics, given.size)
        unit = sum_ms(seen, given.repeats)
        for name in names:
            least, median = measured_ms(name, seen, given.repeats)
            found[name] = {"least_ms": least, "median_ms": median, "sums": median / unit}
            print(
                f"{name:22s} {least:6.2f} ms at least, {median:6.2f} ms median, {median / unit:5.0f} sums of a pattern"
            )
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "scalarizers.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
