"""How long the calls of a VI take while the model is fitted, in an emulated run on a simulated picture.

    python -m benchmarks.labview_calls [--measurements 120] [--pixels 512]

A VI asks, polls every 5 ms, measures without delay and looks at a map. Printed are count, median, 99th percentile and
maximum of each function, in ms, and how long decisions took as the VI sees them.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.labview_soak import loaded_client, written_settings

_BIAS = [round(-1.5 + 0.025 * step, 6) for step in range(121)]


class Timed:
    """The client, with the duration of every call.

    Args:
        folder: an empty folder.

    Attributes:
        seconds: name of the function → durations, s.
    """

    def __init__(self, folder: Path) -> None:
        self._client = loaded_client(written_settings(folder, preload=True))
        self.seconds: defaultdict[str, list[float]] = defaultdict(list)

    def __call__(self, name: str, *arguments: Any) -> tuple[Any, ...]:
        """Call a function of the client.

        Returns:
            What it gives after code and text.

        Raises:
            RuntimeError: its code is not 0.
        """
        start = time.perf_counter()
        answer = getattr(self._client, name)(*arguments)
        self.seconds[name].append(time.perf_counter() - start)
        if isinstance(answer, list):
            return (answer,)
        if answer[0]:
            raise RuntimeError(f"{name}: {answer[0]} {answer[1]}")
        return tuple(answer[2:])


def measure(vi: Timed, measurements: int, pixels: int) -> None:
    """A whole run."""
    vi("bridge_start")
    config = {"run": "calls", "scalarizer": "in_gap_ratio", "budget": measurements, "channels": ["current", "didv"]}
    (handle,) = vi("session_open", json.dumps(config))
    rows, cols = np.indices((pixels, pixels))
    image = np.sin(rows / 9) + np.cos(cols / 7)
    vi("session_set_image", handle, image.tolist(), 50e-9, 50e-9, 0.0, 0.0, 0.0, True)
    bias, rng = np.array(_BIAS), np.random.default_rng(0)
    while True:
        start = time.perf_counter()
        (job,) = vi("suggest_start", handle)
        while (state := vi("suggest_poll", handle, job)[0]) == 0:
            time.sleep(0.005)
        vi.seconds["(decision)"].append(time.perf_counter() - start)
        if state != 1:
            break
        point, x_px, y_px, *_ = vi("suggest_get", handle, job)
        didv = np.abs(bias) * (1 + 0.3 * image[int(y_px), int(x_px)] * (np.abs(bias) < 0.5))
        spectrum = np.stack([bias * 1e-9, didv + rng.normal(0, 0.01, len(bias))])
        vi("submit_result", handle, point, _BIAS, spectrum.tolist())
        vi("get_map", handle, "mean")
    vi("session_close", handle)
    vi("bridge_stop")


def main() -> None:
    """Run it and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.labview_calls", description=__doc__)
    parser.add_argument("--measurements", type=int, default=120)
    parser.add_argument("--pixels", type=int, default=512)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        vi = Timed(Path(folder))
        measure(vi, args.measurements, args.pixels)
    print(f"{'function':20} {'calls':>6} {'median':>8} {'p99':>8} {'max':>8}  ms")
    for name, seconds in vi.seconds.items():
        print(f"{name:20} {len(seconds):6} " + " ".join(f"{1e3 * value:8.1f}" for value in _spread(seconds)))


def _spread(seconds: Sequence[float]) -> tuple[float, float, float]:
    ordered = sorted(seconds)
    return ordered[len(ordered) // 2], ordered[math.ceil(0.99 * len(ordered)) - 1], ordered[-1]


if __name__ == "__main__":
    main()
