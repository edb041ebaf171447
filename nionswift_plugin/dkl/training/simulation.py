"""The simulated microscope as the panel knows it: what is in it, and what it alone knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dkl_core.errors import InputError
from dkl_core.survey import FloatArray

if TYPE_CHECKING:
    from nion.instrumentation.stem_controller import STEMController

    from dkl_core.experiment import Experiment
    from dkl_core.stem.microscope import VirtualMicroscope

# In a run's file, what the simulated microscope was made of.
SIMULATION = "simulation"


def simulation_of(stem: STEMController) -> Mapping[str, Any]:
    """What the file of a run on an instrument keeps of its simulation; nothing for any other instrument."""
    from nionswift_plugin.dkl_simulator.registration import switch

    present = switch()
    if present is None or present.settings is None or present.configuration is None:
        return {}
    return {SIMULATION: present.settings.to_json()} if present.configuration.instrument is stem else {}


def microscope_of(host: Mapping[str, Any]) -> VirtualMicroscope | None:
    """The simulated microscope that a run was made on, if it is still in Swift; waits until it is built.

    Args:
        host: what the run's file keeps.
    """
    from nionswift_plugin.dkl_simulator.registration import switch

    kept, present = host.get(SIMULATION), switch()
    if kept is None or present is None or present.configuration is None or present.settings is None:
        return None
    return present.configuration.instrument.microscope if _same(kept, present.settings.to_json()) else None


def sites_nm(experiment: Experiment) -> FloatArray:
    """Scan coordinates (y, x) of the sites (M, 2), nm from the middle of the frame.

    Raises:
        InputError: the survey image has no calibration.
    """
    survey = experiment.survey
    if survey.pixel_nm is None:
        raise InputError("the survey image has no calibration, so nothing can be said of the truth; acquire another")
    middle = (np.asarray(survey.values.shape) - 1) / 2
    return np.asarray((experiment.sites.positions - middle) * np.asarray(survey.pixel_nm))


def truth_at(microscope: VirtualMicroscope, measured: str, places_nm: FloatArray) -> FloatArray | None:
    """The true values of a property at places (M, 2) as the sample is now, (M,); None where nobody knows them."""
    from dkl_core.stem.truth import TRUTH_KINDS

    if measured not in TRUTH_KINDS:
        return None
    try:
        return microscope.truth(measured, places_nm[:, 0], places_nm[:, 1])
    except InputError:
        # of Bragg discs the flake alone knows
        return None


def _same(kept: Mapping[str, Any], present: Mapping[str, Any]) -> bool:
    """Whether the same sample is under the same beam; JSON has no tuples."""
    import json

    def comparable(settings: Mapping[str, Any]) -> str:
        return json.dumps({name: settings.get(name) for name in ("sample", "optics", "realism", "seed")})

    return comparable(kept) == comparable(present)
