"""From raw measurement to one number: spectroscopy, the user's own function, and the registry of both."""

# importing these modules also registers their scalarizers
from dkl_core.scalarizers.band_edges import BandGap, ConductionEdge, ValenceEdge
from dkl_core.scalarizers.formula import Formula
from dkl_core.scalarizers.registry import (
    NamedScalarizer,
    RawKind,
    Scalarizer,
    ScalarizerInfo,
    ScalarizerOption,
    as_scalarizer,
    available_scalarizers,
    get_scalarizer,
    register,
    try_scalarizer,
)
from dkl_core.scalarizers.spectroscopy import AreaInRange, InGapRatio, PositiveArea
from dkl_core.scalarizers.spectrum import Spectrum, repair_shifted_samples, shifted_samples

__all__ = [
    "AreaInRange",
    "BandGap",
    "ConductionEdge",
    "Formula",
    "InGapRatio",
    "NamedScalarizer",
    "PositiveArea",
    "RawKind",
    "Scalarizer",
    "ScalarizerInfo",
    "ScalarizerOption",
    "Spectrum",
    "ValenceEdge",
    "as_scalarizer",
    "available_scalarizers",
    "get_scalarizer",
    "register",
    "repair_shifted_samples",
    "shifted_samples",
    "try_scalarizer",
]
