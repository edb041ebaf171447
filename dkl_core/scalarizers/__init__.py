"""From raw measurement to one number: diffraction, spectroscopy, the user's own function, and the registry of both."""

# importing these modules also registers their scalarizers
from dkl_core.scalarizers.band_edges import BandGap, ConductionEdge, ValenceEdge
from dkl_core.scalarizers.blocks import (
    BlockShape,
    ChargeDensity,
    DeflectionCurl,
    DeflectionDivergence,
    PatternBlock,
    block_of,
)
from dkl_core.scalarizers.bragg import BraggDistance
from dkl_core.scalarizers.centre_of_mass import DeflectionAngle, DeflectionMagnitude, DeflectionX, DeflectionY
from dkl_core.scalarizers.detector_care import DetectorCare
from dkl_core.scalarizers.formula import Formula
from dkl_core.scalarizers.pattern import Pattern
from dkl_core.scalarizers.reading import FieldScalarizer, Reading, field_scalarizer, revised
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
from dkl_core.scalarizers.strain import LatticeRotation, StrainXX, StrainXY, StrainYY
from dkl_core.scalarizers.virtual_detectors import AnnularBrightField, AnnularDarkField, BrightField

__all__ = [
    "AnnularBrightField",
    "AnnularDarkField",
    "AreaInRange",
    "BandGap",
    "BlockShape",
    "BraggDistance",
    "BrightField",
    "ChargeDensity",
    "ConductionEdge",
    "DeflectionAngle",
    "DeflectionCurl",
    "DeflectionDivergence",
    "DeflectionMagnitude",
    "DeflectionX",
    "DeflectionY",
    "DetectorCare",
    "FieldScalarizer",
    "Formula",
    "InGapRatio",
    "LatticeRotation",
    "NamedScalarizer",
    "Pattern",
    "PatternBlock",
    "PositiveArea",
    "RawKind",
    "Reading",
    "Scalarizer",
    "ScalarizerInfo",
    "ScalarizerOption",
    "Spectrum",
    "StrainXX",
    "StrainXY",
    "StrainYY",
    "ValenceEdge",
    "as_scalarizer",
    "available_scalarizers",
    "block_of",
    "field_scalarizer",
    "get_scalarizer",
    "register",
    "repair_shifted_samples",
    "revised",
    "shifted_samples",
    "try_scalarizer",
]
