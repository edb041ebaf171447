"""Runs that structure drives: how many silicon atoms in graphene 80 of 2,025 sites meet, and how many of random sites.

python -m benchmarks.structural_targets [--seeds 3] [--workflow fft-pca]
"""

from __future__ import annotations

import argparse

import numpy as np

from dkl_core.acquisition import AcquisitionSettings
from dkl_core.experiment import Experiment, ExperimentSettings, StopRules, StructureSettings
from dkl_core.patches import PatchSettings
from dkl_core.stem.microscope import VirtualMicroscope
from dkl_core.stem.scan import ScanFrame
from dkl_core.stem.settings import SampleSettings
from dkl_core.survey import FloatArray, SurveyImage

FRAME = ScanFrame((192, 192), 10.0, pixel_time_s=40e-6)
BUDGET, REACH_NM, DRAWS = 80, 0.2, 100


def run(seed: int, workflow: str) -> tuple[int, int, float, tuple[str, ...]]:
    """Silicon atoms in the frame, those met by the run, those met by as many random sites, and the notices."""
    microscope = VirtualMicroscope(SampleSettings(seed=seed), seed=seed, clock=lambda: 0.0)
    microscope.blanked = False
    image = np.asarray(microscope.scan(FRAME, 0.0, 192 * 192 * FRAME.pixel_time_s), dtype=float)
    survey = SurveyImage(image, pixel_nm=(FRAME.pixel_nm, FRAME.pixel_nm))
    settings = ExperimentSettings(
        patches=PatchSettings(window=12, stride=4),
        acquisition=AcquisitionSettings("ei"),
        stop=StopRules(BUDGET),
        structure=StructureSettings(workflow),
        seed=seed,
    )
    experiment = Experiment(survey, settings)
    while sites := experiment.ask():
        experiment.tell(sites[0], 0.0)
    places = (experiment.sites.positions - (np.asarray(survey.shape) - 1) / 2) * FRAME.pixel_nm
    atoms = microscope.sample.atoms.positions_nm
    dopants = [atoms[list(dopant.atoms), :2] for dopant in microscope.sample.dopants]
    inside = [at for at in dopants if (abs(at.mean(axis=0)) < places.max(axis=0)).all()]
    mine = _met(places[[told.site.index for told in experiment.told]], inside)
    rng = np.random.default_rng(seed)
    random = np.mean([_met(places[rng.permutation(len(places))[:BUDGET]], inside) for _ in range(DRAWS)])
    return len(inside), mine, float(random), experiment.structure_notices


def _met(visited: FloatArray, dopants: list[FloatArray]) -> int:
    return sum(bool((np.linalg.norm(visited[:, None] - at, axis=2) < REACH_NM).any()) for at in dopants)


def main() -> None:
    """Print a line for each sample."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="samples (default 3)")
    parser.add_argument("--workflow", default="fft-pca", help="default fft-pca")
    args = parser.parse_args()
    for seed in range(1, args.seeds + 1):
        dopants, mine, random, notices = run(seed, args.workflow)
        print(f"sample {seed}: {mine} of {dopants} silicon atoms met, by random sites {random:.1f}")
        for notice in notices:
            print(f"  {notice}")


if __name__ == "__main__":
    main()
