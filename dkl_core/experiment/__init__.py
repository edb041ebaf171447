"""The experiment: settings, ask and tell, resuming, and driving an instrument."""

from dkl_core.experiment.experiment import Experiment
from dkl_core.experiment.instrument import Instrument, Progress, Refit, Revising, run
from dkl_core.experiment.journal import EventSink, Told
from dkl_core.experiment.recorded import RecordedExperiment
from dkl_core.experiment.refit import RefitTask
from dkl_core.experiment.settings import ExperimentSettings, SeedSettings, StopRules
from dkl_core.experiment.standing import Phase
from dkl_core.experiment.structure import StructureSettings

__all__ = [
    "EventSink",
    "Experiment",
    "ExperimentSettings",
    "Instrument",
    "Phase",
    "Progress",
    "RecordedExperiment",
    "Refit",
    "RefitTask",
    "Revising",
    "SeedSettings",
    "StopRules",
    "StructureSettings",
    "Told",
    "run",
]
