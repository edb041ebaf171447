"""GPax viDKL as in the published STM runs: network 64-64-2, RBF kernel, 200 steps of 0.05, a new model each time.

Double precision, as in those runs.
"""

from __future__ import annotations

from importlib.metadata import version

import gpax
import numpy as np

from benchmarks.peers.timing import Array, run

STEPS = 200
STEP_SIZE = 0.05


def fit_predict(features: Array, values: Array, sites: Array) -> tuple[Array, Array]:
    """Means and variances at all sites, from a model trained from scratch."""
    key_fit, key_predict = gpax.utils.get_keys()
    model = gpax.viDKL(input_dim=features.shape[1], z_dim=2, kernel="RBF")
    model.fit(key_fit, features, values, num_steps=STEPS, step_size=STEP_SIZE, print_summary=False, progress_bar=False)
    mean, variance = model.predict(key_predict, sites)
    return np.asarray(mean), np.asarray(variance)


if __name__ == "__main__":
    gpax.utils.enable_x64()
    run(f"GPax {version('gpax')} viDKL", fit_predict)
