"""A whole decision on a large image; prints what memory it took, in bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch  # counted as a library
from scipy.ndimage import gaussian_filter

from dkl_core.patches import PatchSettings, make_patches
from dkl_core.surrogate import Surrogate, mixture
from dkl_core.survey import SurveyImage

MEASURED = 60


def peak() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return 1024 * int(line.split()[1])


def main() -> None:
    torch.zeros(1)
    libraries = peak()
    # Every expert at work, whatever the data say.
    mixture.stacking_weight = lambda _linear, _deep: 0.5
    rng = np.random.default_rng(0)
    image = gaussian_filter(rng.standard_normal((512, 512)), 3)
    patches = make_patches(SurveyImage(image), PatchSettings(window=30, stride=1, edge="reflect"))
    sites = rng.permutation(len(patches))[: MEASURED + 1]
    values = patches.image[tuple(patches.sites.positions[sites].T)]
    surrogate = Surrogate(patches)
    surrogate.fit(sites[:MEASURED], values[:MEASURED])
    surrogate.update(int(sites[MEASURED]), float(values[MEASURED]))
    believed = surrogate.predict()
    assert np.isfinite(believed.mean).all()
    assert np.isfinite(believed.std).all()
    print(len(patches), len(surrogate.posteriors), libraries, peak())


if __name__ == "__main__":
    main()
