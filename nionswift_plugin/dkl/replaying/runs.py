"""Runs that are over, opened again to be looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dkl_core.experiment import Experiment
from dkl_core.experiment.recorded import rebuilt
from dkl_core.record import read_run


def reopened(path: Path) -> tuple[Experiment, dict[str, Any]]:
    """The experiment of a file, its model fitted to all measurements, and what its host kept; nothing is written.

    Raises:
        RecordError: the file is no run.
    """
    with read_run(path) as contents:
        experiment, host = rebuilt(contents), dict(contents.header.settings.get("host", {}))
    if experiment.surrogate is None and any(told.measurement.ok for told in experiment.told):
        experiment.adopt(experiment.begin_refit().run())
    return experiment, host
