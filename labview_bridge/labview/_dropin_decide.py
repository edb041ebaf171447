"""Where the VI measures next: model, last posterior, remotest open site, previous point, in this order."""

import math
import time
from typing import Any, Dict, List, Optional, Set, Tuple

import _dropin_settings
import _dropin_status as status
from _dropin_grid import Grid, first_site, most_remote, seed_order
from _dropin_link import NoAnswerError
from _dropin_request import Call, Choice, Request
from _dropin_run import Image, Measured, Run, begin_run, current_run, experiment_name
from _dropin_settings import Settings
from _dropin_tables import ReadError, Row, parse_compilation, read_patiently

_READING_S = 0.3
_MARGIN_S = 0.5
_MOST_PX = 32767
_decided: List[bool] = []


def checked(settings: Settings, given: Tuple[Any, Any, Any, Any, Any], notes: List[str]) -> Call:
    """The VI's terminals as numbers that can be used; a terminal that is not wired delivers "", 0 or None."""
    scan_file, compilation_file = (item.strip() if isinstance(item, str) else "" for item in given[:2])
    if not scan_file:
        notes.append("the terminal Scan_file_name is empty; wire the name of the scan file")
    step = _positive(given[2], settings.step, "Coordinate step", notes)
    window = _positive(given[3], settings.window, "Window size", notes)
    return Call(scan_file, compilation_file, step, window, _whole(given[4]) or 0)


def next_point(folder: str, given: Tuple[Any, Any, Any, Any, Any]) -> List[int]:
    """[x, y, index, number of sites] of the next measurement; x is the column, y the row counted from the bottom.

    Args:
        folder: where the modules lie.
        given: the VI's five terminals.
    """
    began = time.monotonic()
    settings = _dropin_settings.load(folder)
    notes = list(settings.problems)
    call = checked(settings, given, notes)
    limit = settings.deadline_s if _decided else max(settings.first_deadline_s, settings.deadline_s)
    until = began + limit - _MARGIN_S if call.scan_file else began
    _decided.append(True)
    name = experiment_name(call.scan_file, "_scan.txt") or experiment_name(call.compilation_file, "__compilation.txt")
    run = current_run(settings, name) if call.iteration != 1 else None
    if run is None:
        run = begin_run(settings, name or "unnamed", _facts(call, settings))
    try:
        image = run.image(settings, call.scan_file, until)
        grid = run.grid(image, call.step, call.window)
    except ReadError as error:
        return _without_image(settings, run, call, str(error))
    rows = _rows(settings, run, call, until)
    measured = run.measurements(grid, rows)
    choice = _choose(settings, run, call, image, grid, measured, until)
    if choice is None:
        return _without_site(settings, run, call, image)
    x, y = grid.points[choice.site]
    if choice.source != "repeated":
        pixel_nm = next((row.pixel_nm for row in reversed(rows) if row.pixel_nm), None)
        run.add(
            dict(
                dict(choice.details),
                event="suggest",
                iteration=call.iteration,
                index=choice.site,
                x=x,
                y=y,
                sites=len(grid),
                step=call.step,
                window=call.window,
                source=choice.source,
                reason=choice.reason,
                measured=len(measured),
                pixel_nm=pixel_nm,
            )
        )
    notes += run.taken_notes()
    fallen_back = choice.source not in ("seed", "model", "repeated")
    status.report(
        settings.base,
        name or "unnamed",
        status.FALLBACK if fallen_back else status.WARNING if notes else status.OK,
        "; ".join(([choice.reason] if choice.reason else []) + notes),
        iteration=call.iteration,
        source=choice.source,
        index=choice.site,
        x=x,
        y=y,
        run=run.run_id,
        seconds=round(time.monotonic() - began, 4),
    )
    return [x, y, choice.site, len(grid)]


def last_resort(given: Tuple[Any, Any, Any, Any, Any]) -> List[int]:
    """The point the VI got last in this session, or the first site that any image has."""
    if _given:
        return list(_given[-1])
    defaults, notes = Settings(), []  # type: Tuple[Settings, List[str]]
    step = _positive(given[2], defaults.step, "Coordinate step", notes)
    x, y = first_site(step, _positive(given[3], defaults.window, "Window size", notes))
    return [x, y, 0, 0]


_given: List[List[int]] = []


def remember(answer: List[int]) -> List[int]:
    """Keep the point that the VI gets, for the case that the next call finds nothing."""
    _given[:] = [list(answer)]
    return answer


def _choose(
    settings: Settings, run: Run, call: Call, image: Image, grid: Grid, measured: List[Measured], until: float
) -> Optional[Choice]:
    if not len(grid):
        return None
    last = run.last_suggestion()
    if last is not None and 0 < call.iteration == last["iteration"] and not run.measured_since_last_suggestion():
        index = grid.index_of(last["x"], last["y"])
        if index is not None:
            return Choice(index, "repeated")
    closed = _closed(settings, run, grid, measured)
    request = Request(settings, run, call, image, grid, measured, closed)
    if len(closed) >= len(grid):
        return _previous(grid, last, f"every one of the {len(grid)} sites is measured")
    if call.iteration <= settings.seeds:
        request.send()
        tried = closed | set(run.attempts(grid))
        for index in seed_order(len(grid), settings.seed):
            if index not in tried:
                return Choice(index, "seed")
    try:
        return request.choice(until)
    except NoAnswerError as error:
        reason = str(error)
    tried = closed | set(run.attempts(grid))
    index = most_remote(
        grid, [item.site for item in measured] + list(tried), tried if len(tried) < len(grid) else closed
    )
    if index is not None:
        return Choice(index, "space-filling", reason)
    return _previous(grid, last, reason)


def _previous(grid: Grid, last: Optional[Dict[str, Any]], reason: str) -> Choice:
    index = grid.index_of(last["x"], last["y"]) if last is not None else None
    return Choice(0 if index is None else index, "previous point", reason)


def _closed(settings: Settings, run: Run, grid: Grid, measured: List[Measured]) -> Set[int]:
    """Sites that are measured, or were tried as often as a failing site may be."""
    tried = dict(run.attempts(grid))
    failures: Dict[int, int] = {}
    for item in measured:
        if not math.isnan(item.value):
            tried[item.site] = settings.retries + 1
        failures[item.site] = failures.get(item.site, 0) + 1
    counts = {index: max(tried.get(index, 0), failures.get(index, 0)) for index in set(tried) | set(failures)}
    return {index for index, count in counts.items() if count > settings.retries}


def _rows(settings: Settings, run: Run, call: Call, until: float) -> List[Row]:
    if call.iteration == 1 or not call.compilation_file:
        return []
    # The journal has every measurement that came through the drop-in's own scalarizer: then the file is not needed.
    known = sum(1 for event in run.journal.events if event.get("event") == "measurement")
    patience = 0.0 if known >= call.iteration - 1 else _READING_S
    try:
        return read_patiently(
            settings.path(call.compilation_file), parse_compilation, min(until, time.monotonic() + patience)
        )
    except ReadError as error:
        if patience:
            run.notes.append(str(error))
        return []


def _without_image(settings: Settings, run: Run, call: Call, reason: str) -> List[int]:
    """The previous point of the run, or the first site that every image with any site has."""
    last = run.last_suggestion()
    x, y = (last["x"], last["y"]) if last is not None else first_site(call.step, call.window)
    answer = [int(x), int(y), int(last["index"]) if last is not None else 0, 0]
    _say(settings, run, call, status.ERROR, "no site can be chosen: " + reason, answer)
    return answer


def _without_site(settings: Settings, run: Run, call: Call, image: Image) -> List[int]:
    """The middle of the frame: there is no site, and the corner is where a failing VI goes."""
    answer = [image.size // 2, image.size // 2, 0, 0]
    reason = f"no window of {call.window} px without NaN fits into the image of {image.size} x {image.size} px"
    _say(settings, run, call, status.ERROR, reason + "; choose a smaller Window size", answer)
    return answer


def _say(settings: Settings, run: Run, call: Call, code: int, text: str, answer: List[int]) -> None:
    name = experiment_name(call.scan_file, "_scan.txt") or "unnamed"
    run.add({"event": "trouble", "iteration": call.iteration, "text": text, "x": answer[0], "y": answer[1]})
    text = "; ".join([text, *run.taken_notes(), *list(settings.problems)])
    status.report(
        settings.base,
        name,
        code,
        text,
        iteration=call.iteration,
        source="none",
        index=answer[2],
        x=answer[0],
        y=answer[1],
        run=run.run_id,
    )


def _facts(call: Call, settings: Settings) -> Dict[str, Any]:
    kept = {key: value for key, value in settings._asdict().items() if key not in ("bridge", "problems")}
    return {
        "scan_file": call.scan_file,
        "compilation_file": call.compilation_file,
        "step": call.step,
        "window": call.window,
        "settings": kept,
    }


def _whole(value: Any) -> Optional[int]:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return int(number) if math.isfinite(number) and number == int(number) else None


def _positive(value: Any, otherwise: int, name: str, notes: List[str]) -> int:
    number = _whole(value)
    if number is not None and 0 < number <= _MOST_PX:
        return number
    notes.append(f"{name} is {value!r}, which gives no site; {otherwise} px are used, set the control")
    return otherwise
