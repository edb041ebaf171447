"""A headless Swift for the acquisition hook."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.swift.conftest import Places, running_swift


@pytest.fixture(scope="module")
def _opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One Swift for all tests of a file: opening and closing it takes longer than most of them."""
    pytest.importorskip("nion.instrumentation", reason="Nion Swift is not installed (pip install .[swift])")
    from dkl_core.stem.atoms import Atoms
    from dkl_core.stem.detectors import DetectorSettings
    from dkl_core.stem.microscope import VirtualMicroscope
    from dkl_core.stem.realism import Realism
    from dkl_core.stem.samples import Sample
    from nionswift_plugin.dkl_simulator.configuration import Configuration

    def places(sample: Any, optics: Any, detector: Any, *others: Any) -> Places:
        return Places(detector.shape)

    sample = Sample.from_atoms(Atoms(np.zeros((1, 3)), np.array([6])), 20.0)
    detector = DetectorSettings(shape=(32, 32))
    microscope = VirtualMicroscope(sample, detector=detector, realism=Realism.ideal(), make_scatterer=places)
    with running_swift(Configuration(microscope), tmp_path_factory.mktemp("swift")) as swift:
        yield swift


@pytest.fixture
def bench(_opened: Any) -> Iterator[Any]:
    """Swift with its devices, as they are at first."""
    from tests.swift.hook.harness import SwiftBench

    made = SwiftBench(_opened.context)
    yield made
    made.reset()
