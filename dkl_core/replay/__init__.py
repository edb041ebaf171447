"""Experiments on recorded data: replay against baselines, evaluation of models, metrics."""

from dkl_core.replay.evaluation import Evaluation, evaluate_model
from dkl_core.replay.methods import BASELINES, PLAIN_METHODS, Replay, replay
from dkl_core.replay.metrics import Fit, fit_quality, simple_regret, top_sites
from dkl_core.replay.problem import RecordedInstrument, ReplayProblem, default_patches, replay_problem

__all__ = [
    "BASELINES",
    "PLAIN_METHODS",
    "Evaluation",
    "Fit",
    "RecordedInstrument",
    "Replay",
    "ReplayProblem",
    "default_patches",
    "evaluate_model",
    "fit_quality",
    "replay",
    "replay_problem",
    "simple_regret",
    "top_sites",
]
