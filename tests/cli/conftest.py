from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dkl_core.cli import main

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def dkl(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs the command line in this process; gives exit status, standard output and standard error."""

    def run(*words: object) -> tuple[int, str, str]:
        status = main([*map(str, words), "--quiet"])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture
def graphene(fixture_data: Path) -> Path:
    return fixture_data / "fixture_graphene_si_16x16.npz"


@pytest.fixture
def rings(tmp_path: Path) -> Path:
    """A small set whose scalar is the slope of the image."""
    rows, cols = np.indices((48, 48))
    rng = np.random.default_rng(3)
    image = sum(np.exp(-((rows - r) ** 2 + (cols - c) ** 2) / 18) for r, c in rng.uniform(4, 44, (9, 2)))
    slope = np.hypot(*np.gradient(image))
    path = tmp_path / "rings.npz"
    np.savez(path, image=image, scalar_slope=slope, scalar_flat=np.ones_like(image))
    return path
