"""The probabilistic model of the scalar given patch and position; torch is loaded with the first model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dkl_core.lazy import lazy_names
from dkl_core.surrogate.settings import MODELS, Priors, SurrogateSettings, model_settings

if TYPE_CHECKING:
    from dkl_core.surrogate.extractors import Extractor, extractor_of
    from dkl_core.surrogate.mixture import Judgement
    from dkl_core.surrogate.model import Prediction, Surrogate, resolve_device

__all__ = [
    "MODELS",
    "Extractor",
    "Judgement",
    "Prediction",
    "Priors",
    "Surrogate",
    "SurrogateSettings",
    "extractor_of",
    "model_settings",
    "resolve_device",
]

__getattr__ = lazy_names(
    __name__,
    {
        "dkl_core.surrogate.extractors": ("Extractor", "extractor_of"),
        "dkl_core.surrogate.mixture": ("Judgement",),
        "dkl_core.surrogate.model": ("Prediction", "Surrogate", "resolve_device"),
    },
)
