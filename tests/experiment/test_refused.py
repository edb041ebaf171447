"""Files that are not resumed, and why."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import dkl_core
from dkl_core.errors import InputError, RecordError
from dkl_core.experiment import ExperimentSettings, RecordedExperiment, SeedSettings
from dkl_core.record import Event, RunRecord, read_run
from dkl_core.survey import SurveyImage

Settings = Callable[..., ExperimentSettings]
PACKAGE = Path(next(iter(dkl_core.__path__))).resolve().parent


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.h5"


def test_a_run_that_is_open_cannot_be_resumed_a_second_time(
    path: Path, survey: SurveyImage, settings: Settings
) -> None:
    RecordedExperiment.start(path, survey, settings()).close()
    with RecordedExperiment.resume(path) as first:
        with pytest.raises(RecordError, match=r"run\.h5"):
            RecordedExperiment.resume(path)
        assert len(first.experiment.ask(2)) == 2
    RecordedExperiment.resume(path).close()


def test_a_run_that_is_there_is_not_overwritten_by_accident(
    path: Path, survey: SurveyImage, settings: Settings
) -> None:
    with RecordedExperiment.start(path, survey, settings()) as recorded:
        recorded.experiment.tell(3, 1.0)
    with pytest.raises(RecordError, match="is there already"):
        RecordedExperiment.start(path, survey, settings())
    with RecordedExperiment.start(path, survey, settings(), overwrite=True) as recorded:
        assert recorded.experiment.told == ()


def test_settings_that_cannot_be_used_leave_no_file(path: Path, survey: SurveyImage, settings: Settings) -> None:
    with pytest.raises(InputError, match="200 seeds"):
        RecordedExperiment.start(path, survey, settings(seeds=SeedSettings(200), budget=200))
    with pytest.raises(InputError, match="host"):
        RecordedExperiment.start(path, survey, settings(), host={"camera": object()})
    assert list(path.parent.iterdir()) == []


def test_a_record_of_a_newer_format_is_refused(path: Path, survey: SurveyImage, settings: Settings) -> None:
    RecordedExperiment.start(path, survey, settings()).close()
    with h5py.File(path, "r+") as h5:
        h5.attrs["format_version"] = 99
    before = path.read_bytes()
    with pytest.raises(RecordError, match="99"):
        RecordedExperiment.resume(path)
    assert path.read_bytes() == before


def forged(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Write a run's file again with other settings."""
    with read_run(path) as contents:
        header = contents.header
    settings = dict(header.settings)
    change(settings)
    RunRecord.create(path, replace(header, settings=settings), overwrite=True).close()


@pytest.mark.parametrize(
    "change",
    [
        lambda settings: settings.pop("experiment"),
        lambda settings: settings["experiment"].update(seeds={"count": -4}),
        lambda settings: settings["experiment"].update(telepathy=1),
        lambda settings: settings.update(experiment=5),
    ],
)
def test_a_record_that_holds_no_experiment_is_refused_and_let_go(
    path: Path, survey: SurveyImage, settings: Settings, change: Callable[[dict[str, Any]], None]
) -> None:
    RecordedExperiment.start(path, survey, settings()).close()
    forged(path, change)
    for _ in range(2):
        with pytest.raises(RecordError, match="holds no experiment that can be continued"):
            RecordedExperiment.resume(path)


def test_a_model_of_another_kind_is_refused(path: Path, survey: SurveyImage, settings: Settings) -> None:
    with RecordedExperiment.start(path, survey, settings()) as recorded:
        recorded.experiment.tell(3, 1.0)
        recorded.record.append(Event("fit", {}, {"weights": np.ones(3)}))
    with pytest.raises(RecordError, match="the saved state belongs to another model"):
        RecordedExperiment.resume(path)


def test_a_missing_file_is_refused(path: Path) -> None:
    with pytest.raises(RecordError, match="cannot be read: No such file"):
        RecordedExperiment.resume(path)


@pytest.fixture
def archive() -> Iterator[Path]:
    """A folder that may be made such that everybody can read and nobody write."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)
        Path(name).chmod(stat.S_IRWXU)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system keeps permissions elsewhere")
def test_a_run_in_a_folder_that_may_not_be_written_can_only_be_read(
    archive: Path, survey: SurveyImage, settings: Settings
) -> None:
    with RecordedExperiment.start(archive / "run.h5", survey, settings()) as recorded:
        recorded.experiment.tell(3, 1.0)
    (archive / "run.h5").chmod(0o444)
    archive.chmod(0o555)
    result = subprocess.run(
        [sys.executable, "-W", "error", Path(__file__).with_name("read_only.py"), archive / "run.h5"],
        env=os.environ | {"PYTHONPATH": str(PACKAGE)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    refused, read = result.stdout.splitlines()
    assert "cannot be written" in refused
    assert read == "1 measurement"
