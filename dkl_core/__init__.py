"""Deep kernel learning that decides where a microscope measures next.

The names below are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dkl_core.lazy import lazy_names

__version__ = "0.1.0"

if TYPE_CHECKING:
    from dkl_core.acquisition import AcquisitionSettings, AnnealedBeta, ConstantBeta
    from dkl_core.experiment import (
        Experiment,
        ExperimentSettings,
        Instrument,
        Progress,
        RecordedExperiment,
        SeedSettings,
        StopRules,
        StructureSettings,
        run,
    )
    from dkl_core.goal import Goal
    from dkl_core.measurement import Measurement, Scalar, Site
    from dkl_core.patches import PatchSettings, make_patches
    from dkl_core.scalarizers import get_scalarizer
    from dkl_core.surrogate import Surrogate, SurrogateSettings
    from dkl_core.survey import SurveyImage

_HOMES = {
    "dkl_core.acquisition": ("AcquisitionSettings", "AnnealedBeta", "ConstantBeta"),
    "dkl_core.experiment": (
        "Experiment",
        "ExperimentSettings",
        "Instrument",
        "Progress",
        "RecordedExperiment",
        "SeedSettings",
        "StopRules",
        "StructureSettings",
        "run",
    ),
    "dkl_core.goal": ("Goal",),
    "dkl_core.measurement": ("Measurement", "Scalar", "Site"),
    "dkl_core.patches": ("PatchSettings", "make_patches"),
    "dkl_core.scalarizers": ("get_scalarizer",),
    "dkl_core.surrogate": ("Surrogate", "SurrogateSettings"),
    "dkl_core.survey": ("SurveyImage",),
}
__all__ = [  # noqa: RUF022 - the order in which a reader meets them
    "SurveyImage",
    "PatchSettings",
    "make_patches",
    "Experiment",
    "ExperimentSettings",
    "SeedSettings",
    "StopRules",
    "StructureSettings",
    "Goal",
    "AcquisitionSettings",
    "AnnealedBeta",
    "ConstantBeta",
    "SurrogateSettings",
    "Surrogate",
    "Site",
    "Measurement",
    "Scalar",
    "get_scalarizer",
    "Instrument",
    "Progress",
    "run",
    "RecordedExperiment",
    "__version__",
]


__getattr__ = lazy_names(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted(__all__)
