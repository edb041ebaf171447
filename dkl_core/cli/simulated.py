"""What the demos share: the simulated surface, the settings, and how well an experiment did on it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dkl_core.cli import common
from dkl_core.experiment import Experiment, ExperimentSettings, SeedSettings, StopRules
from dkl_core.goal import Goal
from dkl_core.patches import PatchSettings
from dkl_core.replay import simple_regret, top_sites
from dkl_core.sample import SimulatedSTM, SurfaceSettings
from dkl_core.survey import FloatArray

TARGET = "in-gap ratio"
PATCHES = PatchSettings(window=20, stride=5, levelling="steps")


def instrument_of(host: Mapping[str, Any]) -> SimulatedSTM:
    """The instrument of a demo, new or resumed."""
    return SimulatedSTM(SurfaceSettings(seed=int(host["seed"])))


def host_of(args: argparse.Namespace) -> dict[str, Any]:
    """What the record keeps so that `instrument_of` can make the instrument again."""
    return {"kind": "demo", "seed": args.seed, "target": TARGET}


def settings_of(args: argparse.Namespace) -> ExperimentSettings:
    """The experiment that the user's options describe."""
    return ExperimentSettings(
        patches=PATCHES,
        surrogate=common.surrogate_of(args, "dkl"),
        acquisition=common.acquisition_of(args),
        goal=Goal.parse(args.goal),
        seeds=SeedSettings(args.seeds_init),
        stop=StopRules(args.budget),
        seed=args.seed,
    )


def hits_of(experiment: Experiment, truth: FloatArray) -> NDArray[np.bool_]:
    """Whether each measurement (n,) was at one of the best sites, by their true scalars (M,)."""
    hits: NDArray[np.bool_] = top_sites(truth, experiment.settings.goal)[_chosen(experiment)]
    return hits


def result_of(experiment: Experiment, truth: FloatArray, reason: str) -> dict[str, Any]:
    """How well an experiment did, as one flat mapping; truth is the true scalar of each site (M,)."""
    seeds, goal = experiment.settings.seeds.count, experiment.settings.goal
    chosen, hits = _chosen(experiment), hits_of(experiment, truth)
    prediction, surrogate = experiment.predict(), experiment.surrogate
    left = np.setdiff1d(np.arange(len(truth)), chosen)
    map_r = np.nan if prediction is None else float(np.corrcoef(prediction.mean[left], truth[left])[0, 1])
    return {
        "method": "dkl",
        "n_sites": len(truth),
        "measured": len(chosen),
        "failed": sum(not entry.measurement.ok for entry in experiment.told),
        "hit_rate": float(hits[seeds:].mean()) if len(chosen) > seeds else np.nan,
        "random_hit_rate": float(top_sites(truth, goal).mean()),
        "regret": simple_regret(truth, truth[chosen], goal),
        "map_correlation": map_r,
        "structure_share": np.nan if surrogate is None else surrogate.judgement.structure_share,
        "stop_reason": reason,
    }


def _chosen(experiment: Experiment) -> NDArray[np.int64]:
    return np.array([entry.site.index for entry in experiment.told], dtype=np.int64)
