"""What a run record holds: its header and its events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dkl_core.survey import SurveyImage

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Event:
    """One thing that happened in a run.

    Two kinds are laid out specially: `tell` becomes a row of the measurement table, its array `raw` a row of a stack;
    of the `fit` events only the last few keep their arrays. Every other kind is free.

    Attributes:
        kind: what happened, such as `ask`, `tell`, `fit` or `control`.
        data: JSON-compatible values; NaN and infinity are kept, tuples come back as lists.
        arrays: named arrays of numbers. Those of an event that was read are loaded when they are asked for.
    """

    kind: str
    data: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    arrays: Mapping[str, Array] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, eq=False)
class RunHeader:
    """What is known of a run before its first measurement.

    Attributes:
        settings: the configuration, JSON-compatible values.
        survey: the survey image with its calibration.
        mask: pixels where measuring is allowed, the survey image's shape; None allows all.
        versions: name → version of the software that started the run.
        created: when the run was started, ISO 8601 with time zone.
    """

    settings: Mapping[str, Any]
    survey: SurveyImage
    mask: NDArray[np.bool_] | None
    versions: Mapping[str, str]
    created: str
