"""Headers and events to record."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dkl_core
from dkl_core.record import Event, RunHeader
from dkl_core.survey import SurveyImage

FOLDER = Path(__file__).resolve().parent
PACKAGE = Path(next(iter(dkl_core.__path__))).resolve().parent


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the run is recorded."""
    return tmp_path / "run.h5"


@pytest.fixture
def header(rng: np.random.Generator) -> RunHeader:
    """A calibrated survey image with a mask."""
    survey = SurveyImage(rng.random((12, 9)), pixel_nm=(0.5, 0.25), origin_nm=(10.0, -3.0))
    return RunHeader(
        settings={"acquisition": {"name": "ucb", "beta": 10.0}, "limit": float("inf")},
        survey=survey,
        mask=rng.random((12, 9)) > 0.5,
        versions={"dkl-core": "0.1", "numpy": np.__version__},
        created="2026-11-21T08:00:00+00:00",
    )


@pytest.fixture
def tell() -> Callable[..., Event]:
    """Makes a `tell` event; any column can be given."""

    def make(raw: np.ndarray | None = None, **columns: Any) -> Event:
        data = {
            "site": 3, "row": 4, "col": 5, "value": 1.5, "valid": True, "reason": "", "noise_variance": None,
            "seconds": 0.25, "dose": None, "time": 1795249412.625, "attempt": 1, "details": {},
        }  # fmt: skip
        return Event("tell", data | columns, {} if raw is None else {"raw": raw})

    return make


@pytest.fixture
def run_script(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a script of this folder in a process of its own."""

    def run(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"PYTHONPATH": str(PACKAGE)}
        command = [sys.executable, "-W", "error", str(FOLDER / name), *map(str, arguments)]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240, check=False
        )

    return run
