"""One run of the VI: its folder, its journal, its image and what was measured so far."""

import hashlib
import os
import re
import sys
import time
from array import array
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from _dropin_grid import Grid, flipped_rows
from _dropin_journal import Event, Journal
from _dropin_settings import Settings
from _dropin_tables import Row, parse_scan, read_patiently

IMAGE_FILE = "scan.f64"
JOURNAL_FILE = "journal.jsonl"
Point = Tuple[int, int]
# The VI writes six digits behind the decimal sign.
_DIGITS = 1e-6


class Measured(NamedTuple):
    """One measurement at a site.

    Attributes:
        site: its number in the fitting grid.
        value: its scalar; NaN when there is none to learn from.
    """

    site: int
    value: float


class Image(NamedTuple):
    """The topograph of a run.

    Attributes:
        size: pixels per line, and lines.
        rows: heights, the top row of the frame first.
        sha256: of the heights as little-endian float64.
    """

    size: int
    rows: "array[float]"
    sha256: str


class Run:
    """What is known of one run in this Python session, and its journal that outlives the session.

    Args:
        run_id: its name, and that of its folder.
        folder: where journal and image lie; None when no folder can be made.
    """

    def __init__(self, run_id: str, folder: Optional[str]) -> None:
        self.run_id, self.folder = run_id, folder
        self.journal = Journal(None if folder is None else os.path.join(folder, JOURNAL_FILE))
        self.notes: List[str] = []
        self.outdated_pointer = ""
        self._image: Optional[Image] = None
        self._grids: Dict[Tuple[int, int], Grid] = {}

    # ------------------------------------------------------------------ the image and its sites

    def image(self, settings: Settings, scan_file: str, until: float) -> Image:
        """The topograph, read once per run.

        Raises:
            ReadError: it cannot be read by `until` (`time.monotonic()`).
        """
        if self._image is None:
            self._image = self._kept_image()
        if self._image is None:
            self._image = self._new_image(settings, settings.path(scan_file), until)
        return self._image

    def grid(self, image: Image, step: int, window: int) -> Grid:
        """The sites of the run."""
        if (step, window) not in self._grids:
            self._grids[step, window] = Grid(image.size, step, window, flipped_rows(image.rows, image.size))
        return self._grids[step, window]

    def _kept_image(self) -> Optional[Image]:
        said = [event for event in self.journal.events if event.get("event") == "image"]
        if not said or self.folder is None:
            return None
        rows = array("d")
        try:
            with open(os.path.join(self.folder, IMAGE_FILE), "rb") as file:
                rows.frombytes(file.read())
        except (OSError, ValueError):
            return None
        if sys.byteorder == "big":
            rows.byteswap()
        image = Image(int(said[-1]["size"]), rows, _sha256(rows))
        return image if image.sha256 == said[-1]["sha256"] and len(rows) == image.size**2 else None

    def _new_image(self, settings: Settings, path: str, until: float) -> Image:
        scan = read_patiently(path, parse_scan, until)
        top_first = settings.scan_first_row == "top"
        rows = scan.values if top_first else flipped_rows(scan.values, scan.size)
        if scan.y_rises is not None and scan.y_rises == top_first:
            self.notes.append(
                "the scan file's own y column says that its first row is the {}; it is taken as the {} row, as set by "
                "scan_first_row".format("bottom" if scan.y_rises else "top", settings.scan_first_row)
            )
        image = Image(scan.size, rows, _sha256(rows))
        if self.folder is not None:
            try:
                with open(os.path.join(self.folder, IMAGE_FILE), "wb") as file:
                    file.write(_little_endian(rows))
            except OSError as error:
                self.notes.append(f"the image is not kept: {error.strerror or error}")
        self.add(
            {
                "event": "image",
                "file": path,
                "size": scan.size,
                "sha256": image.sha256,
                "first_row": settings.scan_first_row,
                "kept_as": IMAGE_FILE,
            }
        )
        return image

    # ------------------------------------------------------------------ the journal

    def add(self, event: Event) -> None:
        """Keep an event, with the time."""
        problem = self.journal.append(dict(event, time=time.time()))
        if problem and problem not in self.notes:
            self.notes.append(problem)

    def taken_notes(self) -> List[str]:
        """What is worth saying since the last call."""
        notes, self.notes = self.notes, []
        return notes

    def last_suggestion(self) -> Optional[Event]:
        """The point that the VI got last, None before the first."""
        for event in reversed(self.journal.events):
            if event.get("event") == "suggest":
                return event
        return None

    def measured_since_last_suggestion(self) -> bool:
        """Whether a spectrum came in after the last point was given."""
        for event in reversed(self.journal.events):
            if event.get("event") == "suggest":
                return False
            if event.get("event") == "measurement":
                return True
        return False

    def attempts(self, grid: Grid) -> Dict[int, int]:
        """How often each site was given to the VI."""
        counts: Dict[int, int] = {}
        for event in self.journal.events:
            if event.get("event") == "suggest":
                index = grid.index_of(event["x"], event["y"])
                if index is not None:
                    counts[index] = counts.get(index, 0) + 1
        return counts

    def measurements(self, grid: Grid, rows: List[Row]) -> List[Measured]:
        """All measurements in order: those of the journal at full precision, then the VI's rows that it lacks.

        Args:
            grid: the sites.
            rows: the compilation file. A scalar of its own counts only above zero, as in the published program.
        """
        found: List[Measured] = []
        covered: Dict[int, List[float]] = {}
        for event in self.journal.events:
            if event.get("event") == "measurement":
                index = grid.index_of(event["x"], event["y"])
                if index is not None:
                    usable = event.get("valid") and event.get("scalar") is not None
                    found.append(Measured(index, float(event["scalar"]) if usable else float("nan")))
                    covered.setdefault(index, []).append(found[-1].value)
        left: List[Measured] = []
        for row in rows:
            index = grid.index_of(row.x, row.y)
            if index is None:
                self.notes.append(f"a row of the compilation file lies at {row.x:g}, {row.y:g}, which is no site")
            elif not _take_written(covered.get(index, []), row.scalar):
                left.append(Measured(index, row.scalar if row.scalar > 0 else float("nan")))
        for item in left:
            # What is left of the journal stands for rows that were written with fewer digits.
            if covered.get(item.site):
                covered[item.site].pop()
            else:
                found.append(item)
        return found


def _take_written(values: List[float], written: float) -> bool:
    """Take the value that the VI wrote in its digits out of a site's; False where there is none."""
    for place, value in enumerate(values):
        if (value != value and not written > 0) or abs(value - written) <= _DIGITS * (1 + abs(value)):
            del values[place]
            return True
    return False


# ---------------------------------------------------------------------- which run

_open_runs: Dict[Tuple[str, str], Run] = {}


def experiment_name(file_name: Any, *endings: str) -> str:
    """The experiment's name from the name of one of its files, fit for naming other files.

    Args:
        file_name: what the VI gave.
        *endings: what follows the name in the file's name.
    """
    last = re.split(r"[\\/]", file_name.strip())[-1] if isinstance(file_name, str) else ""
    for ending in endings:
        if last.lower().endswith(ending):
            last = last[: -len(ending)]
            break
    else:
        last = os.path.splitext(last)[0]
    return re.sub(r"[^A-Za-z0-9._-]+", "_", last).lstrip(".")[:80]


def begin_run(settings: Settings, name: str, facts: Dict[str, Any]) -> Run:
    """A new run; earlier ones keep their folders.

    Args:
        settings: where runs are kept.
        name: the experiment.
        facts: what its first event says.
    """
    run_id, folder, problem = _new_folder(settings.runs, name)
    run = Run(run_id, folder)
    if problem:
        run.notes.append(problem)
    run.add(dict(facts, event="start", run=run_id, name=name, kind="published", version=1))
    _point_to(settings.runs, name, run)
    _open_runs[settings.runs, name] = run
    return run


def current_run(settings: Settings, name: str) -> Optional[Run]:
    """The run that was begun last under this name, in whichever Python session; None when there is none."""
    known = _open_runs.get((settings.runs, name))
    run_id = _pointed_to(settings.runs, name)
    if not run_id or (known is not None and run_id in (known.run_id, known.outdated_pointer)):
        return known
    folder = os.path.join(settings.runs, run_id)
    if not re.match(r"[A-Za-z0-9._-]+\Z", run_id) or not os.path.isdir(folder):
        return known
    _open_runs[settings.runs, name] = run = Run(run_id, folder)
    return run


def _new_folder(runs: str, name: str) -> Tuple[str, Optional[str], str]:
    stamp = "{}_{}".format(name, time.strftime("%Y%m%d-%H%M%S"))
    for number in range(1, 1000):
        run_id = stamp if number == 1 else f"{stamp}_{number}"
        folder = os.path.join(runs, run_id)
        try:
            os.makedirs(folder)
        except FileExistsError:
            if os.path.isdir(folder):
                continue
            return run_id, None, f"{runs} is no folder; the run is kept in memory only"
        except OSError as error:
            return run_id, None, f"the run's folder {folder} cannot be made: {error.strerror or error}"
        return run_id, folder, ""
    return stamp, None, "too many runs began in the same second"


def _pointer(runs: str, name: str) -> str:
    return os.path.join(runs, name + ".current")


def _pointed_to(runs: str, name: str) -> str:
    try:
        with open(_pointer(runs, name), encoding="utf-8") as file:
            return file.read().strip()
    except (OSError, ValueError):
        return ""


def _point_to(runs: str, name: str, run: Run) -> None:
    """Let other Python sessions find the run; where that fails, the pointer still names an earlier one."""
    path = _pointer(runs, name)
    run.outdated_pointer = _pointed_to(runs, name)
    if run.folder is None:
        return
    try:
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(run.run_id + "\n")
        os.replace(path + ".new", path)
        run.outdated_pointer = ""
    except OSError as error:
        run.notes.append(f"{path} cannot be written: {error.strerror or error}")


def _sha256(values: "array[float]") -> str:
    return hashlib.sha256(_little_endian(values)).hexdigest()


def _little_endian(values: "array[float]") -> bytes:
    if sys.byteorder == "big":
        values = array("d", values)
        values.byteswap()
    return values.tobytes()
