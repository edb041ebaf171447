"""A run through several levels on disk: a folder with the record of each level."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from dkl_core.errors import InputError, RecordError
from dkl_core.experiment import Experiment, RecordedExperiment
from dkl_core.experiment.recorded import rebuilt
from dkl_core.frame import Frame
from dkl_core.record import RunContents, read_run
from dkl_core.survey import SurveyImage
from dkl_core.zoom.choose import ZoomDecision
from dkl_core.zoom.plan import ZoomPlan

EVENT = "zoom"


@dataclass(frozen=True)
class StoredLevel:
    """A level as its file has it.

    Attributes:
        path: the file.
        frame: the level's frame, with those it is nested in.
        decision: what was decided last, None if nothing was.
        measured: how many measurements the decision rests on.
    """

    path: Path
    frame: Frame
    decision: ZoomDecision | None
    measured: int

    def experiment(self) -> Experiment:
        """The experiment as far as it came, for looking at."""
        with read_run(self.path) as contents:
            return rebuilt(contents)


@dataclass(frozen=True)
class LevelFiles:
    """The files `level0.h5`, `level1.h5` and so on of a run.

    Attributes:
        folder: where they are.
        plan: what the run does; kept in the file of level 0.
        host: what the host added, in every file.
        run: the run's own name, in every file, by which the files of an earlier run are told apart.
    """

    folder: Path
    plan: ZoomPlan
    host: Mapping[str, Any]
    run: str

    @classmethod
    def new(cls, folder: Path | str, plan: ZoomPlan, host: Mapping[str, Any] | None, *, overwrite: bool) -> Self:
        """The files of a run that begins; the folder is made if need be.

        Raises:
            RecordError: there are files of another run already, or the folder cannot be made.
        """
        folder = Path(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RecordError(f"the folder {folder} cannot be made ({error.strerror}); choose another") from error
        for path in () if overwrite else _numbered(folder).values():
            raise RecordError(f"{path} is there already; give another folder, resume that run, or overwrite it")
        return cls(folder, plan, dict(host or {}), uuid4().hex)

    @classmethod
    def found(cls, folder: Path | str) -> Self:
        """The files of a run that began earlier.

        Raises:
            RecordError: there are none, or not of such a run.
        """
        first = level_path(Path(folder), 0)
        if not first.is_file():
            raise RecordError(f"{folder} holds no {first.name}; give the folder of a run that zooms, or a run's file")
        with read_run(first) as contents:
            host = dict(contents.header.settings.get("host", {}))
        try:
            zoom = host.pop("zoom")
            return cls(Path(folder), ZoomPlan.from_json(zoom["plan"]), host, str(zoom["run"]))
        except (InputError, KeyError, TypeError) as error:
            raise RecordError(f"{first} holds no plan of a run that zooms ({error}); resume it as a file") from error

    def start(self, frame: Frame, survey: SurveyImage) -> RecordedExperiment:
        """Begin the record of a level; at the outermost, the files of a run to be overwritten go."""
        level = frame.level
        zoom = {"run": self.run, "level": level, "frame": frame.to_json()}
        zoom |= {"plan": self.plan.to_json()} if level == 0 else {"parent": level_path(self.folder, level - 1).name}
        path = level_path(self.folder, level)
        host = {**self.host, "zoom": zoom}
        started = RecordedExperiment.start(path, survey, self.plan.settings_of(level), host=host, overwrite=True)
        if level == 0:
            for number, left in _numbered(self.folder).items():
                if number > 0:
                    left.unlink()
        return started

    def levels(self) -> list[StoredLevel]:
        """The levels that have begun, the outermost first.

        Raises:
            RecordError: a file that cannot be read, or one that is missing between others.
        """
        stored: list[StoredLevel] = []
        for number, path in _numbered(self.folder).items():
            with read_run(path) as contents:
                if contents.header.settings.get("host", {}).get("zoom", {}).get("run") != self.run:
                    continue
                if number != len(stored):
                    raise RecordError(f"{path} is there but not {level_path(self.folder, len(stored))}; put it back")
                stored.append(_stored(contents))
        return stored


def stored_host(folder: Path | str) -> Mapping[str, Any]:
    """What the host of a run through several levels added, to set itself up again.

    Raises:
        RecordError: the folder holds no such run.
    """
    return LevelFiles.found(folder).host


def level_path(folder: Path, level: int) -> Path:
    """The file of a level."""
    return folder / f"level{level}.h5"


def decision_event(experiment: Experiment, decision: ZoomDecision) -> dict[str, Any]:
    """The data of a `zoom` event: the decision and how many measurements it rests on."""
    return {"measured": len(experiment.told), **asdict(decision)}


def _stored(contents: RunContents) -> StoredLevel:
    try:
        frame = Frame.from_json(contents.header.settings["host"]["zoom"]["frame"])
        decided = [event.data for event in contents.events() if event.kind == EVENT]
        decision = _decision(decided[-1]) if decided else None
        measured = int(decided[-1]["measured"]) if decided else 0
    except (InputError, KeyError, TypeError) as error:
        raise RecordError(f"{contents.path} cannot be used as a level of a run that zooms: {error}") from error
    return StoredLevel(contents.path, frame, decision, measured)


def _decision(data: Mapping[str, Any]) -> ZoomDecision:
    values = {item.name: data[item.name] for item in fields(ZoomDecision)}
    frame = values.pop("frame")
    return ZoomDecision(frame and Frame.from_json(frame), **values)


def _numbered(folder: Path) -> dict[int, Path]:
    """The files of levels by their numbers."""
    matches = ((re.fullmatch(r"level(0|[1-9]\d*)\.h5", path.name), path) for path in folder.iterdir())
    found = {int(match[1]): path for match, path in matches if match}
    return {number: found[number] for number in sorted(found)}
