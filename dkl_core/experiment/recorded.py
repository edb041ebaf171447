"""An experiment with its record on disk: started, or resumed from a file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from platform import python_version
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dkl_core.errors import DataFileError, InputError, RecordError
from dkl_core.experiment.experiment import Experiment
from dkl_core.experiment.settings import ExperimentSettings
from dkl_core.record import Event, RunContents, RunHeader, RunRecord, read_run
from dkl_core.survey import SurveyImage

_REPORTED = ("dkl-microscopy", "numpy", "scipy", "torch", "gpytorch", "h5py", "matplotlib")


class RecordedExperiment:
    """An experiment whose every event is on the disk before it takes effect; use it in a `with` block.

    Attributes:
        experiment: the experiment.
        record: its file.
        host: what the host added to the settings, to set itself up again when the run is resumed.
    """

    def __init__(self, experiment: Experiment, record: RunRecord, host: Mapping[str, Any]) -> None:
        self.experiment = experiment
        self.record = record
        self.host = host
        experiment.sink = self._write
        experiment.forget_raw()

    @classmethod
    def start(
        cls,
        path: Path | str,
        survey: SurveyImage,
        settings: ExperimentSettings,
        *,
        mask: NDArray[np.bool_] | None = None,
        positions: ArrayLike | None = None,
        host: Mapping[str, Any] | None = None,
        overwrite: bool = False,
    ) -> Self:
        """Start an experiment and its record.

        Args:
            path: the run's file, ending in .h5.
            survey: the survey image.
            settings: everything that decides which sites are measured.
            mask: pixels where a site is allowed; see `Experiment`.
            positions: the user's own sites; see `Experiment`.
            host: JSON-compatible values by which the host recognises its instrument and scalarizer.
            overwrite: replace a file that is there.

        Raises:
            InputError: settings or data that cannot be used; no file is made.
            RecordError: the file is there already or cannot be written.
        """
        experiment = Experiment(survey, settings, mask=mask, positions=positions)
        own = dict(host or {})
        kept = {
            "experiment": settings.to_json(),
            "positions": None if positions is None else experiment.sites.positions.tolist(),
            "host": own,
        }
        created = datetime.now(UTC).isoformat(timespec="seconds")
        header = RunHeader(kept, survey, mask, software_versions(), created)
        return cls(experiment, RunRecord.create(path, header, overwrite=overwrite), own)

    @classmethod
    def resume(cls, path: Path | str) -> Self:
        """Continue a run that was paused, finished or killed; its next site is the one it would have been.

        Raises:
            RecordError: the file cannot be read, is being written, or holds a run that this version cannot continue.
        """
        # Reopening first takes the lock: what is read below can no longer change.
        record = RunRecord.reopen(path)
        try:
            with read_run(path) as contents:
                experiment = rebuilt(contents)
                host = contents.header.settings.get("host", {})
        except BaseException:
            record.close()
            raise
        return cls(experiment, record, host)

    def close(self) -> None:
        """Put the file in order and let go of it."""
        self.record.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, kind: str, data: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        self.record.append(Event(kind, data, arrays))


def rebuilt(contents: RunContents) -> Experiment:
    """The experiment as it stood at the end of a record, for looking at or for going on.

    Raises:
        RecordError: the record does not hold an experiment that this version understands.
    """
    header = contents.header
    try:
        settings = ExperimentSettings.from_json(header.settings["experiment"])
        experiment = Experiment(header.survey, settings, mask=header.mask, positions=header.settings.get("positions"))
        state = None
        for event in contents.events():
            experiment.replay_event(event.kind, event.data, arrays=event.arrays)
        latest = contents.latest_fit
        if latest is not None:
            state = {name: np.asarray(array) for name, array in latest.arrays.items()}
        experiment.restored(state)
    except (InputError, DataFileError, KeyError, TypeError) as error:
        raise RecordError(f"{contents.path} holds no experiment that can be continued: {error}") from error
    return experiment


def software_versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide the numbers."""
    versions = {"python": python_version()}
    for name in _REPORTED:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions
