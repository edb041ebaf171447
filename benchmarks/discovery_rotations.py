"""Whether the invariant autoencoder recovers known rotations: `python -m benchmarks.discovery_rotations`."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from dkl_core.discovery.planted import turned_molecules
from dkl_core.representation.rvae import InvariantSettings, angle_agreement, as_pictures, trained
from dkl_core.surrogate.threads import one_thread_each

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Train from several seeds, print how well angle and bond length come out, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--noise", type=float, default=0.3, help="of the pictures, peak 1")
    given = parser.parse_args()
    rows, angles = [], []
    for seed in range(given.seeds):
        made, truth, bonds = turned_molecules(given.pictures, np.random.default_rng(0), noise=given.noise)
        start = time.process_time()
        with one_thread_each():
            encoded = trained(as_pictures(made), InvariantSettings(), seed).encode(as_pictures(made))
        seconds = time.process_time() - start
        direct = float(np.abs(np.exp(1j * (encoded.angle - truth)).mean()))
        bond = float(np.abs(np.corrcoef(encoded.latent.T, bonds)[:2, 2]).max())
        angles.append(encoded.angle)
        rows.append({"seed": seed, "angle": direct, "bond": bond, "cpu_s": seconds})
        print(f"seed {seed}: angle {direct:.3f}, bond length {bond:.2f}, {seconds:.0f} s of one core", flush=True)
    agreement = np.mean([angle_agreement(one, other) for one, other in zip(angles[1:], angles[:-1], strict=True)])
    print(f"{sum(row['angle'] >= 0.95 for row in rows)} of {len(rows)} seeds recover the angle; starts agree by "
          f"{agreement:.3f}")  # fmt: skip
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "discovery_rotations.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
