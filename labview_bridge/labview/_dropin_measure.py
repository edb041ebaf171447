"""What becomes of a spectrum: its scalar for the VI, and spectrum and scalar in the journal."""

import json
import math
import os
import time
from array import array
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import _dropin_settings
import _dropin_status as status
from _dropin_link import NoAnswerError
from _dropin_request import link
from _dropin_run import Run, begin_run, current_run, experiment_name
from _dropin_settings import Settings
from _dropin_spectra import NAMES, SpectrumError, as_rows, scalar

INVALID = 0.0
"""What the VI gets for a spectrum without a scalar; the published rule learns from values above zero only."""


class Verdict(NamedTuple):
    """The scalar of one spectrum.

    Attributes:
        value: the number; NaN when there is none.
        valid: whether it may be learned from.
        reason: what is wrong, empty otherwise.
    """

    value: float
    valid: bool
    reason: str = ""


def measured(folder: str, given: Tuple[Any, Any, Any, Any]) -> float:
    """The scalar that the VI writes and shows.

    Args:
        folder: where the modules lie.
        given: file name, spectrum, x and y, in the VI's order or with the spectrum last.
    """
    began = time.monotonic()
    settings = _dropin_settings.load(folder)
    file_name, spectrum, x, y = _in_order(given)
    name = experiment_name(file_name, "_spectroscopy.txt") or "unnamed"
    run = current_run(settings, name) or begin_run(settings, name, {"begun_by": "scalarizer"})
    try:
        rows: Optional[List[List[float]]] = as_rows(spectrum)
        verdict = _verdict(settings, rows or [])
    except SpectrumError as error:
        rows, verdict = _whatever(spectrum), Verdict(math.nan, False, str(error))
    event = _event(settings, run, rows, verdict, x, y)
    run.add(event)
    problems = [verdict.reason, _append_alldata(settings, file_name, event, rows), *run.taken_notes()]
    text = "; ".join([item for item in problems if item] + list(settings.problems))
    status.report(
        settings.base,
        name,
        status.WARNING if text else status.OK,
        text,
        scalar=event["scalar"],
        valid=verdict.valid,
        x=event["x"],
        y=event["y"],
        run=run.run_id,
        seconds=round(time.monotonic() - began, 4),
    )
    return float(verdict.value) if verdict.valid else INVALID


def _in_order(given: Tuple[Any, Any, Any, Any]) -> Tuple[Any, Any, Any, Any]:
    """The published order has the spectrum second; the pane of the VI shows it last."""
    file_name, second, third, fourth = given
    if hasattr(fourth, "__len__") and not isinstance(fourth, str) and not hasattr(second, "__len__"):
        return file_name, fourth, second, third
    return given


def _verdict(settings: Settings, rows: List[List[float]]) -> Verdict:
    if settings.scalarizer not in NAMES:
        return _of_worker(settings, rows)
    result = scalar(settings.scalarizer, settings.options, rows)
    valid = math.isfinite(result.value) and not (settings.strict and result.problem)
    return Verdict(result.value, valid, result.problem)


def _of_worker(settings: Settings, rows: List[List[float]]) -> Verdict:
    """The scalar by the user's own function, or another scalarizer of the core."""
    params: Dict[str, Any] = {"scalarizer": settings.scalarizer, "options": settings.options, "strict": settings.strict}
    flat = array("d", [value for row in rows for value in row])
    try:
        answer = link(settings).ask(
            "published.scalarize", params, [((len(rows), len(rows[0])), flat)], settings.deadline_s
        )
    except NoAnswerError as error:
        return Verdict(math.nan, False, f"{settings.scalarizer} gave no scalar: {error}")
    value = answer.get("value")
    number = float(value) if isinstance(value, (int, float)) else math.nan
    return Verdict(number, bool(answer.get("valid")) and math.isfinite(number), str(answer.get("reason", "")))


def _event(
    settings: Settings, run: Run, rows: Optional[List[List[float]]], verdict: Verdict, x: Any, y: Any
) -> Dict[str, Any]:
    last = run.last_suggestion() or {}
    place = _pixel(x), _pixel(y)
    if None in place or (place == (0.0, 0.0) and last):
        run.notes.append(f"the spectrum came with pixel {x!r}, {y!r}; it is taken as that of the last point")
        place = last.get("x"), last.get("y")
    if None in place:
        place = -1.0, -1.0
    return {
        "event": "measurement",
        "iteration": last.get("iteration"),
        "x": place[0],
        "y": place[1],
        "scalar": verdict.value if math.isfinite(verdict.value) else None,
        "valid": verdict.valid,
        "reason": verdict.reason,
        "scalarizer": settings.scalarizer,
        "options": settings.options,
        "spectrum": None if rows is None else [[_kept(value) for value in row] for row in rows],
    }


def _pixel(value: Any) -> Optional[float]:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _kept(value: float) -> Optional[float]:
    return value if math.isfinite(value) else None


def _whatever(spectrum: Any) -> Optional[List[List[float]]]:
    """What came instead of a spectrum, if it is numbers at all: nothing measured is lost."""
    try:
        return [[float(value) for value in row] for row in spectrum]
    except (TypeError, ValueError):
        return None


def _append_alldata(
    settings: Settings, file_name: Any, event: Dict[str, Any], rows: Optional[List[List[float]]]
) -> str:
    """The text file of the published program, with every digit of every sample; says why it could not be written."""
    if not settings.alldata or rows is None or not isinstance(file_name, str) or not file_name.strip():
        return ""
    head = "\n\n{}\t{}\t{}\nvoltage\ti_forward\ti_backward\n".format(
        json.dumps(event["x"]), json.dumps(event["y"]), repr(INVALID if event["scalar"] is None else event["scalar"])
    )
    lines = ["\t".join(repr(value) for value in sample) for sample in zip(*rows)]
    path = settings.path(file_name.strip() + "_alldata.txt")
    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write(head + "\n".join(lines) + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return f"{path} cannot be written: {error.strerror or error}"
    return ""
