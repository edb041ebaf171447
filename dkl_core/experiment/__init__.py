"""The experiment: settings, ask and tell, resuming, and driving an instrument."""

from dkl_core.experiment.experiment import Experiment, Phase
from dkl_core.experiment.instrument import Instrument, Progress, run
from dkl_core.experiment.journal import EventSink, Told
from dkl_core.experiment.recorded import RecordedExperiment
from dkl_core.experiment.refit import RefitTask
from dkl_core.experiment.settings import ExperimentSettings, SeedSettings, StopRules

__all__ = [
    "EventSink",
    "Experiment",
    "ExperimentSettings",
    "Instrument",
    "Phase",
    "Progress",
    "RecordedExperiment",
    "RefitTask",
    "SeedSettings",
    "StopRules",
    "Told",
    "run",
]
