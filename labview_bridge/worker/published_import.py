"""From the journal of a run of the published VI to the core's run record (`dkl import-journal`)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dkl_core.errors import InputError
from dkl_core.experiment import Told
from dkl_core.experiment.recorded import software_versions
from dkl_core.measurement import Measurement, Scalar, Site
from dkl_core.patches import Sites
from dkl_core.record import Event, RunHeader
from dkl_core.survey import FloatArray, SurveyImage
from labview_bridge.worker.importing import ImportedFrame
from labview_bridge.worker.published_request import experiment_settings, survey_and_positions

KIND = "published"
_KEPT = ("iteration", "scalarizer", "options")
_DEFAULTS = {"seeds": 20, "seed": 0, "retries": 1, "goal": "maximise", "model": "dkl", "levelling": "none"}
Item = Mapping[str, Any]


def imported_frames(path: Path, events: Iterable[Item]) -> list[ImportedFrame]:
    """The frame of a journal of the drop-in.

    Sites are those of the fitting grid in the published order; places that were measured and are no sites of it follow.

    Args:
        path: the journal, the run's image beside it.
        events: its events, see `labview_bridge.worker.published`.

    Returns:
        One frame; none where the scan file was never readable, so that there is no image.

    Raises:
        InputError: a journal of another kind, or an image that is not there or damaged.
    """
    items = list(events)
    if not items or items[0].get("event") != "start" or items[0].get("kind") != KIND:
        raise InputError(f"{path} is no journal of the drop-in: its first event is no start of kind {KIND!r}")
    rows = _image(path, items)
    if rows is None:
        return []
    step, window = _grid(path, items)
    survey, positions = survey_and_positions(rows, step, window)
    places = np.concatenate([positions, _others(items, len(rows), positions)])
    sites = Sites(places, survey.shape, step)
    settings = {
        "experiment": experiment_settings(step=step, window=window, **_chosen(items[0])).to_json(),
        "positions": places.tolist(),
        "host": {"instrument": "published VI", "run": items[0]["run"], "settings": items[0].get("settings", {})},
    }
    created = datetime.fromtimestamp(items[0]["time"], UTC).isoformat(timespec="seconds")
    calibrated = SurveyImage(survey.values, pixel_nm=_pixel_nm(items))
    header = RunHeader(settings, calibrated, None, software_versions(), created)
    return [ImportedFrame(header, _Retold(sites, items[0]["time"]).events(items))]


class _Retold:
    """The journal's events as those of an experiment."""

    def __init__(self, sites: Sites, began: float) -> None:
        self._sites, self._began = sites, began
        self._attempts: Counter[int] = Counter()
        self._pending: Site | None = None
        self._expected = math.nan, math.nan

    def events(self, items: Sequence[Item]) -> list[Event]:
        return [event for item in items for event in self._of(item)]

    def _of(self, item: Item) -> list[Event]:
        if item["event"] == "suggest":
            return [*self._asked(item), Event("note", _note("suggestion", item))]
        if item["event"] == "measurement" and _is_placed(item):
            return [self._told(item)]
        return [Event("note", _note(str(item["event"]), item))]

    def _asked(self, item: Item) -> list[Event]:
        withdrawn = self._pending
        self._pending = site = self._site(item)
        self._expected = item.get("mean", math.nan), item.get("std", math.nan)
        asked = Event("ask", {"sites": [site.index]})
        if withdrawn is None:
            return [asked]
        return [Event("control", {"action": "withdraw", "site": withdrawn.index}), asked]

    def _told(self, item: Item) -> Event:
        site = self._site(item)
        self._attempts[site.index] += 1
        mean, std = (math.nan, math.nan)
        if self._pending == site:
            mean, std = self._expected
            self._pending = None
        told = Told(
            site, _measurement(item), self._attempts[site.index], mean, std, item["time"], item["time"] - self._began
        )
        return Event("tell", *told.to_event())

    def _site(self, item: Item) -> Site:
        return self._sites.nearest(self._sites.shape[0] - 1 - float(item["y"]), float(item["x"]))


def _note(kind: str, item: Item) -> dict[str, Any]:
    return {**{key: value for key, value in item.items() if key != "event"}, "kind": kind}


def _measurement(item: Item) -> Measurement:
    value = item.get("scalar")
    number = math.nan if value is None else float(value)
    scalar = Scalar(number, bool(item.get("valid")), str(item.get("reason", "")))
    details = {key: item[key] for key in _KEPT if key in item}
    spectrum = item.get("spectrum") or []
    if len({len(row) for row in spectrum}) > 1:
        return Measurement(scalar, details={**details, "spectrum": spectrum})
    raw = np.array(spectrum, dtype=np.float64)
    return Measurement(scalar, raw=raw if raw.size else None, details=details)


def _image(path: Path, items: Sequence[Item]) -> FloatArray | None:
    said = [item for item in items if item["event"] == "image"]
    if not said:
        return None
    size, place = int(said[-1]["size"]), path.parent / Path(said[-1]["kept_as"]).name
    try:
        heights = np.fromfile(place, dtype="<f8")
    except OSError as error:
        raise InputError(f"the run's image {place} cannot be read: {error}; put it beside the journal") from error
    if heights.size != size * size:
        raise InputError(f"the run's image {place} holds {heights.size} heights instead of {size} x {size}")
    rows: FloatArray = heights.reshape(size, size)
    return rows


def _grid(path: Path, items: Sequence[Item]) -> tuple[int, int]:
    for item in items:
        if item["event"] in ("start", "suggest") and "step" in item:
            return int(item["step"]), int(item["window"])
    raise InputError(f"{path} names neither step nor window; no site was ever given")


def _chosen(start: Item) -> dict[str, Any]:
    given = start.get("settings", {})
    return {name: given.get(name, value) for name, value in _DEFAULTS.items()}


def _others(items: Sequence[Item], size: int, sites: NDArray[np.int64]) -> NDArray[np.int64]:
    known = {(int(row), int(col)) for row, col in sites}
    found: dict[tuple[int, int], None] = {}
    for item in items:
        if item["event"] in ("suggest", "measurement") and _is_placed(item):
            place = size - 1 - round(item["y"]), round(item["x"])
            if place not in known and all(0 <= part < size for part in place):
                found[place] = None
    return np.array(list(found), dtype=np.int64).reshape(-1, 2)


def _is_placed(item: Item) -> bool:
    return float(item["x"]) >= 0 and float(item["y"]) >= 0


def _pixel_nm(items: Sequence[Item]) -> tuple[float, float] | None:
    said = [item["pixel_nm"] for item in items if item.get("pixel_nm")]
    return (float(said[-1]), float(said[-1])) if said else None
