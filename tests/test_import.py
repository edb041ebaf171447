"""Importing the package: cheap and complete."""

from __future__ import annotations

import subprocess
import sys

import pytest

import dkl_core
from dkl_core.lazy import lazy_names

HEAVY = ("torch", "gpytorch", "matplotlib.pyplot", "h5py", "scipy.optimize", "scipy.stats", "sidpy", "nanonispy")
PACKAGES = ("acquisition", "cli", "datasets", "experiment", "masks", "record", "replay", "report", "sample")
MODULES = ["dkl_core", *(f"dkl_core.{name}" for name in (*PACKAGES, "scalarizers", "surrogate", "zoom"))]


def modules_after(statement: str) -> set[str]:
    """The heavy modules that a fresh interpreter has loaded after a statement."""
    code = f"import sys\n{statement}\nprint(*(name for name in {HEAVY} if name in sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return set(ran.stdout.split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert modules_after("import " + ", ".join(MODULES)) == set()


def test_an_experiment_that_is_still_seeding_needs_nothing_heavy() -> None:
    begun = "import numpy, dkl_core as dkl; dkl.Experiment(dkl.SurveyImage(numpy.eye(256))).ask(3)"
    assert modules_after(begun) == set()


@pytest.mark.parametrize("name", dkl_core.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(dkl_core, name) is not None
    assert name in dir(dkl_core)


def test_a_name_is_the_one_of_its_module() -> None:
    from dkl_core.survey import SurveyImage

    assert dkl_core.SurveyImage is SurveyImage


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(dkl_core, "Experimnt")
    with pytest.raises(AttributeError, match=r"module 'dkl_core' has no attribute 'Experimnt'"):
        dkl_core.Experimnt  # noqa: B018


def test_lazy_names_load_their_home_only_when_used() -> None:
    load = lazy_names("somewhere", {"fractions": ["Fraction"], "no_such_module": ["Missing"]})
    assert load("Fraction")(1, 2) == 0.5
    with pytest.raises(ModuleNotFoundError):
        load("Missing")
