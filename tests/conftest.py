"""What every test shares: the data beside the project, a fixed number of threads, a fixed seed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

# How long an example takes depends on the machine and is no property of the code.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
REPOSITORY = Path(__file__).resolve().parents[1]


def _data_folder() -> Path:
    named = os.environ.get("DKL_SHARED_DATA")
    return Path(named) if named else REPOSITORY.parent / "shared" / "data"


def pytest_configure() -> None:
    # Sums in another order differ in the last bits: a fixed number of threads makes a run repeatable on any machine.
    # Set before torch is imported, and by the environment so that processes started by a test have it too.
    os.environ["OMP_NUM_THREADS"] = "2"
    os.environ["MPLBACKEND"] = "agg"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of measured and simulated data, which is not part of the project."""
    folder = _data_folder()
    if folder.is_dir():
        return folder
    reason = f"no data at {folder}; set DKL_SHARED_DATA to the folder that holds stm_runs, measured and simulated"
    if os.environ.get("DKL_REQUIRE_DATA") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def fixture_data() -> Path:
    """The folder of the small data files that are part of the project."""
    return REPOSITORY / "tests" / "data"


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Small matrices are slower on two threads, and much slower on a busy machine."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def rng() -> np.random.Generator:
    """A random generator that gives the same numbers in every run."""
    return np.random.default_rng(20241121)
