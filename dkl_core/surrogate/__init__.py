"""The probabilistic model of the scalar given patch and position; torch is loaded with the first model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dkl_core.lazy import lazy_names
from dkl_core.surrogate.settings import MODELS, Priors, SurrogateSettings, model_settings

if TYPE_CHECKING:
    from dkl_core.surrogate.checks import resolve_device
    from dkl_core.surrogate.extractors import Extractor, extractor_of
    from dkl_core.surrogate.gpytorch_model import GPyTorchExpert, SurrogateGP, to_gpytorch
    from dkl_core.surrogate.mixture import Judgement
    from dkl_core.surrogate.model import Surrogate
    from dkl_core.surrogate.prediction import Prediction

__all__ = [
    "MODELS",
    "Extractor",
    "GPyTorchExpert",
    "Judgement",
    "Prediction",
    "Priors",
    "Surrogate",
    "SurrogateGP",
    "SurrogateSettings",
    "extractor_of",
    "model_settings",
    "resolve_device",
    "to_gpytorch",
]

__getattr__ = lazy_names(
    __name__,
    {
        "dkl_core.surrogate.checks": ("resolve_device",),
        "dkl_core.surrogate.extractors": ("Extractor", "extractor_of"),
        "dkl_core.surrogate.gpytorch_model": ("GPyTorchExpert", "SurrogateGP", "to_gpytorch"),
        "dkl_core.surrogate.mixture": ("Judgement",),
        "dkl_core.surrogate.model": ("Surrogate",),
        "dkl_core.surrogate.prediction": ("Prediction",),
    },
)
