"""What the drop-in asks of the worker, checked."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dkl_core.acquisition import AcquisitionSettings, AnnealedBeta
from dkl_core.errors import InputError
from dkl_core.experiment import ExperimentSettings, SeedSettings, StopRules
from dkl_core.goal import Goal
from dkl_core.patches import PatchSettings
from dkl_core.surrogate.settings import model_settings
from dkl_core.survey import FloatArray, SurveyImage

JOURNAL = "journal.jsonl"
_ENDLESS = 1_000_000
_EARLY = 5
_RUN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, eq=False)
class Request:
    """One request; it holds everything, so that a worker that was just started can answer it.

    Attributes:
        run: name of the run.
        folder: where the run's record is kept; None for in memory.
        sha256: of the image.
        step: distance of sites, pixels.
        window: edge of the patch, pixels.
        seeds: iterations before the model decides.
        seed: seed of every random choice.
        retries: how often a failed site is tried again.
        goal: what is looked for.
        model: name of the model.
        levelling: background removed from the image.
        sites: how many sites the drop-in counts.
        indices: measured sites (n,), in order.
        values: their scalars (n,), NaN where there is none.
        closed: sites that must not be chosen.
        image: heights (size, size), top row first; None when it was not sent.
        decide: whether a site is asked for.
        wait_s: how long a refit may be waited for, s.
    """

    run: str
    folder: Path | None
    sha256: str
    step: int
    window: int
    seeds: int
    seed: int
    retries: int
    goal: str
    model: str
    levelling: str
    sites: int
    indices: NDArray[np.int64]
    values: FloatArray
    closed: NDArray[np.int64]
    image: FloatArray | None
    decide: bool
    wait_s: float

    @classmethod
    def of(cls, params: Mapping[str, Any], arrays: Sequence[FloatArray]) -> Request:
        """A request from what came over the wire.

        Raises:
            InputError: something is missing or of the wrong kind.
        """
        given = {name: _of_kind(params, name, kind) for name, kind in _KINDS.items()}
        if not _RUN.fullmatch(given["run"]):
            raise InputError(f"{given['run']!r} cannot name a run; use letters, digits, . _ and -")
        if len(arrays) not in (3, 4):
            raise InputError(f"{len(arrays)} arrays came; 3 or, with the image, 4 are needed")
        indices, values, closed = (np.asarray(array, dtype=np.float64).ravel() for array in arrays[:3])
        if indices.shape != values.shape:
            raise InputError(f"{indices.size} sites came with {values.size} scalars; as many are needed")
        sites = given["sites"]
        image = arrays[3] if len(arrays) == 4 else None
        if image is not None and _sha256(image) != given["sha256"]:
            raise InputError("the image is not the one of its check sum; send it again")
        return cls(
            **{**given, "folder": _folder(given["folder"], given["run"])},
            indices=_site_numbers(indices, sites),
            values=values,
            closed=_site_numbers(closed, sites),
            image=image,
        )

    @property
    def key(self) -> str:
        """What a record must agree in to be continued."""
        parts = (self.sha256, self.step, self.window, self.seeds, self.seed, self.retries, self.goal)
        text = repr((*parts, self.model, self.levelling, self.sites))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def settings(self) -> ExperimentSettings:
        """The experiment's configuration: the published schedule with the product's model."""
        seeds = min(self.seeds, self.sites)
        return experiment_settings(
            step=self.step,
            window=self.window,
            # The first fit begins before the seeds are over: it is ready when the model has to decide.
            seeds=max(1, seeds - min(_EARLY, seeds // 4)),
            annealed_from=self.seeds,
            seed=self.seed,
            retries=self.retries,
            goal=self.goal,
            model=self.model,
            levelling=self.levelling,
        )


_KINDS: dict[str, type] = {
    "run": str,
    "folder": str,
    "sha256": str,
    "step": int,
    "window": int,
    "seeds": int,
    "seed": int,
    "retries": int,
    "goal": str,
    "model": str,
    "levelling": str,
    "sites": int,
    "decide": bool,
    "wait_s": float,
}


def experiment_settings(
    *,
    step: int,
    window: int,
    seeds: int,
    seed: int,
    retries: int,
    goal: str,
    model: str,
    levelling: str,
    annealed_from: int | None = None,
) -> ExperimentSettings:
    """The configuration of a run of the published VI.

    Args:
        step: distance of sites, pixels.
        window: edge of the patch, pixels.
        seeds: valid measurements before the model decides.
        seed: seed of every random choice.
        retries: how often a failed site is tried again.
        goal: as `Goal.parse` reads it.
        model: name of the model.
        levelling: background removed from the image.
        annealed_from: measurements from which beta of UCB falls; `seeds` if None.

    Raises:
        InputError: a value that cannot be used.
    """
    return ExperimentSettings(
        patches=PatchSettings(
            window=window,
            stride=step,
            edge="nearest",
            nan="fill",
            levelling=levelling,  # type: ignore[arg-type]
        ),
        surrogate=model_settings(model),
        acquisition=AcquisitionSettings(beta=AnnealedBeta(offset=seeds if annealed_from is None else annealed_from)),
        goal=Goal.parse(goal),
        seeds=SeedSettings(count=max(1, seeds)),
        stop=StopRules(budget=_ENDLESS),
        retries=retries,
        seed=seed,
    )


def survey_and_positions(rows: FloatArray, step: int, window: int) -> tuple[SurveyImage, NDArray[np.int64]]:
    """The image and its sites in the published order.

    Sites are numbered row by row from the bottom of the frame: x = column, y counts from the bottom, so that
    row = rows - 1 - y.

    Args:
        rows: heights (size, size), top row first; NaN where there is none.
        step: distance of sites, pixels.
        window: edge of the window that must lie in the image and hold no NaN; that of y begins at y - window // 2.

    Returns:
        The survey image, and (M, 2) positions as (row, column).
    """
    size = len(rows)
    axis = np.arange(0, size, step)
    axis = axis[(axis >= window // 2) & (axis - window // 2 + window <= size)]
    y, x = (part.ravel() for part in np.meshgrid(axis, axis, indexing="ij"))
    table = np.pad(np.isnan(rows[::-1]).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    top, left = y - window // 2, x - window // 2
    bottom, right = top + window, left + window
    whole = table[bottom, right] - table[top, right] - table[bottom, left] + table[top, left] == 0
    return SurveyImage(np.asarray(rows)), np.stack([size - 1 - y[whole], x[whole]], axis=1)


def _sha256(image: FloatArray) -> str:
    return hashlib.sha256(np.ascontiguousarray(image, dtype="<f8").tobytes()).hexdigest()


def _of_kind(params: Mapping[str, Any], name: str, kind: type) -> Any:
    value: Any = params.get(name)
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind or (isinstance(value, float) and not math.isfinite(value)):
        raise InputError(f"{name} is {value!r}; give a value of type {kind.__name__}")
    return value


def _folder(folder: str, run: str) -> Path | None:
    """The run's folder, if it is one that the drop-in has made."""
    if not folder:
        return None
    path = Path(folder)
    if not path.is_absolute() or path.name != run or ".." in path.parts or not (path / JOURNAL).is_file():
        raise InputError(f"{folder} is not the folder of run {run}; it must be named so and hold {JOURNAL}")
    return path


def _site_numbers(values: FloatArray, sites: int) -> NDArray[np.int64]:
    if not (np.isfinite(values).all() and (values >= 0).all() and (values < sites).all()):
        raise InputError(f"a site's number is not within 0 to {sites - 1}")
    return values.astype(np.int64)
