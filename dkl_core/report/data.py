"""What the figures are drawn from: plain, frozen data that an experiment, a record or a replay can fill in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from dkl_core.errors import InputError
from dkl_core.frame import Frame
from dkl_core.survey import SurveyImage

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Direction = Literal["maximise", "minimise", "reach"]


@dataclass(frozen=True)
class RunLabels:
    """The words of a figure.

    Attributes:
        target: name of the scalar, for instance "band gap".
        unit: its unit, empty where it has none.
        title: heading of the figure.
        goal: what the run is after, in words; made from the direction when empty.
        acquisition: the acquisition function and its settings, in words.
        acquisition_unit: unit of the acquisition map, empty where it has none.
    """

    target: str = "scalar"
    unit: str = ""
    title: str = ""
    goal: str = ""
    acquisition: str = ""
    acquisition_unit: str = ""


@dataclass(frozen=True)
class RunFigureData:
    """One run at one moment.

    Attributes:
        survey: the survey image.
        site_positions: (row, column) of all sites in pixels (M, 2).
        visited_positions: (row, column) of the measured sites in pixels, in the order of measurement (n, 2).
        values: what was measured (n,); NaN where nothing was found.
        ok: whether each measurement may be used (n,).
        predicted_mean: prediction made before each measurement (n,); NaN where there was none, as for seeds.
        predicted_std: standard deviation of that prediction for a new measurement, noise included (n,).
        seeds: how many of the first measurements were seeds.
        mean: predicted mean at the sites (M,), None to leave the map out; the same holds for the next two.
        std: predicted standard deviation at the sites (M,).
        acquisition: acquisition function at the sites (M,); what is not finite is left blank.
        next_position: (row, column) of the next site in pixels, None when the run has ended.
        next_frame: the piece of a calibrated survey image to zoom into, None where there is none.
        direction: what counts as better: larger, smaller, or nearer to `goal_value`.
        goal_value: the value to reach; only for `reach`.
        hits: whether each measurement counts as a hit (n,), None to leave the hit rate out.
        structure_share: share of the explained variance that comes from structure, 0 to 1, None when unknown.
        labels: the words.
    """

    survey: SurveyImage
    site_positions: FloatArray
    visited_positions: FloatArray
    values: FloatArray
    ok: BoolArray
    predicted_mean: FloatArray
    predicted_std: FloatArray
    seeds: int = 0
    mean: FloatArray | None = None
    std: FloatArray | None = None
    acquisition: FloatArray | None = None
    next_position: tuple[float, float] | None = None
    next_frame: Frame | None = None
    direction: Direction = "maximise"
    goal_value: float | None = None
    hits: BoolArray | None = None
    structure_share: float | None = None
    labels: RunLabels = field(default_factory=RunLabels)

    def __post_init__(self) -> None:
        require_positions("site_positions", self.site_positions)
        require_positions("visited_positions", self.visited_positions)
        sites, visits = len(self.site_positions), len(self.visited_positions)
        require_length(visits, values=self.values, ok=self.ok, hits=self.hits)
        require_length(visits, predicted_mean=self.predicted_mean, predicted_std=self.predicted_std)
        require_length(sites, mean=self.mean, std=self.std, acquisition=self.acquisition)
        require_direction(self.direction, self.goal_value)

    @property
    def usable(self) -> BoolArray:
        """Measurements with a finite value that may be used (n,)."""
        return np.asarray(self.ok, dtype=bool) & np.isfinite(self.values)

    @property
    def predicted(self) -> BoolArray:
        """Usable measurements that were predicted before they were made (n,)."""
        return self.usable & np.isfinite(self.predicted_mean) & np.isfinite(self.predicted_std)


@dataclass(frozen=True)
class MethodRuns:
    """What one method found in several repeats.

    Attributes:
        name: name of the method, for instance "dkl" or "random".
        best: best value so far after each measurement (repeats, n); NaN before the first usable one.
        hit_rate: share of hits so far (repeats, n), 0 to 1, None to leave it out.
    """

    name: str
    best: FloatArray
    hit_rate: FloatArray | None = None

    def __post_init__(self) -> None:
        for what, values in (("best", self.best), ("hit_rate", self.hit_rate)):
            if values is not None and (np.ndim(values) != 2 or np.size(values) == 0):
                raise InputError(
                    f"{what} of method {self.name!r} has shape {np.shape(values)}, expected (repeats, measurements); "
                    "give one row per repeat"
                )


@dataclass(frozen=True)
class EvaluationFigureData:
    """Held-out sites: what was predicted there and what is true.

    Attributes:
        measured: true values (n,).
        predicted_mean: predicted mean (n,).
        predicted_std: predicted standard deviation of a measurement, noise included (n,).
        labels: the words.
    """

    measured: FloatArray
    predicted_mean: FloatArray
    predicted_std: FloatArray
    labels: RunLabels = field(default_factory=RunLabels)

    def __post_init__(self) -> None:
        if np.ndim(self.measured) != 1 or not np.size(self.measured):
            raise InputError(f"measured has shape {np.shape(self.measured)}, expected (n,) with data; give the values")
        require_length(len(self.measured), predicted_mean=self.predicted_mean, predicted_std=self.predicted_std)
        arrays = (self.measured, self.predicted_mean, self.predicted_std)
        if not all(np.isfinite(array).all() for array in arrays):
            raise InputError("the evaluation holds values that are not finite; leave those sites out")
        if (np.asarray(self.predicted_std) <= 0).any():
            raise InputError(
                "predicted_std holds values of 0 or less; give standard deviations with the noise included"
            )


def best_so_far(values: FloatArray, direction: Direction = "maximise", goal_value: float | None = None) -> FloatArray:
    """Best value after each measurement.

    Args:
        values: in order of measurement (n,); NaN for what cannot be used.
        direction: what counts as better.
        goal_value: the value to reach; only for `reach`.

    Returns:
        (n,); NaN before the first usable value.

    Raises:
        InputError: unknown direction, or `reach` without a value.
    """
    require_direction(direction, goal_value)
    values = np.asarray(values, dtype=float)
    match direction:
        case "maximise":
            return np.fmax.accumulate(values)
        case "minimise":
            return np.fmin.accumulate(values)
    misses = np.abs(values - (goal_value or 0.0))
    best = np.full(values.shape, np.nan)
    for count in range(1, len(values) + 1):
        if np.isfinite(misses[:count]).any():
            best[count - 1] = values[np.nanargmin(misses[:count])]
    return best


def require_positions(name: str, positions: FloatArray) -> None:
    """Refuse what is not (n, 2)."""
    if np.ndim(positions) != 2 or np.shape(positions)[1] != 2:
        raise InputError(f"{name} has shape {np.shape(positions)}, expected (n, 2); give (row, column) in pixels")


def require_length(length: int, **arrays: FloatArray | BoolArray | Sequence[float] | None) -> None:
    """Refuse arrays of another length; None passes."""
    for name, values in arrays.items():
        if values is not None and np.shape(values) != (length,):
            raise InputError(f"{name} has shape {np.shape(values)}, expected ({length},); give one value per position")


def require_direction(direction: str, goal_value: float | None) -> None:
    """Refuse an unknown direction, and `reach` without a value."""
    if direction not in get_args(Direction):
        raise InputError(f"unknown direction {direction!r}; choose one of {', '.join(get_args(Direction))}")
    if direction == "reach" and goal_value is None:
        raise InputError("the direction is 'reach' but goal_value is missing; give the value to reach")
