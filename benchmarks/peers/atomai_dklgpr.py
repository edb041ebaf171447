"""AtomAI dklGPR as in the loop of its documentation.

Network 1000-500-50-2, interpolated RBF kernel, 200 training cycles, single precision, a new model each time.
"""

from __future__ import annotations

from importlib.metadata import version

import torch

from benchmarks.peers.timing import Array, run

CYCLES = 200


def fit_predict(features: Array, values: Array, sites: Array) -> tuple[Array, Array]:
    """Means and variances at all sites, from a model trained from scratch."""
    from atomai.models import dklGPR

    model = dklGPR(features.shape[1], embedim=2, precision="single", seed=0)
    model.fit(features, values, training_cycles=CYCLES, print_loss=CYCLES)
    mean, variance = model.predict(sites, batch_size=len(sites))
    # The peer gives the variance of the function; a measurement has the noise on top.
    return mean, variance + model.likelihood.noise.item()


def make_torchvision_importable() -> None:
    """Declares the two operators whose absence stops torchvision's import beside a CPU build of torch.

    AtomAI imports torchvision's networks; dklGPR uses none of them.
    """
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        for name in ("nms", "qnms"):
            torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


if __name__ == "__main__":
    make_torchvision_importable()
    import atomai  # noqa: F401  (its import is no part of the time)

    run(f"AtomAI {version('atomai')} dklGPR", fit_predict)
