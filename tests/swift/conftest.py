"""A Swift without window for tests: its leak counters, its main loop by hand, and a microscope with fast physics."""

from __future__ import annotations

import time
import unittest
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SPAN_NM = 1000.0
MOST_S = 100.0


@pytest.fixture(autouse=True)
def _nion() -> None:
    pytest.importorskip("nion.instrumentation", reason="Nion Swift is not installed (pip install .[swift])")


class Places:
    """Physics whose patterns tell where the beam was, in place of scattering.

    Of each pattern, pixel (0, 0) counts the electrons, (0, 1) and (0, 2) carry the mean y and x of their places.
    """

    mrad_per_px = 1.0

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape = shape
        self.centre_px = (shape[0] / 2, shape[1] / 2)

    def pattern(self, y_nm: float, x_nm: float) -> Any:
        pattern = np.full(self.shape, 1e-5, dtype=np.float32)
        pattern[0, :3] = 0.25, 0.25 * (0.5 + y_nm / SPAN_NM), 0.25 * (0.5 + x_nm / SPAN_NM)
        return pattern

    def haadf(self, y_nm: Any, x_nm: Any) -> Any:
        y, x = np.broadcast_arrays(np.asarray(y_nm, float), np.asarray(x_nm, float))
        return (0.1 + 0.04 * np.sin(y) + 0.02 * np.cos(1.7 * x)).astype(np.float32)

    def com_mrad(self, y_nm: Any, x_nm: Any) -> Any:
        y, x = np.broadcast_arrays(np.asarray(y_nm, float), np.asarray(x_nm, float))
        return np.zeros_like(y), np.zeros_like(x)

    def remove_atom(self, index: int) -> None: ...

    def replace_atom(self, index: int, number: int) -> None: ...


@pytest.fixture
def place_of() -> Callable[[Any], tuple[float, float]]:
    """Where the beam was, (y, x) in nm, during a frame of `places_microscope`; NaN for a dark frame."""

    def place(frame: Any) -> tuple[float, float]:
        electrons, y, x = (float(value) for value in np.asarray(frame, dtype=np.float64)[0, :3])
        if electrons <= 0:
            return float("nan"), float("nan")
        return (y / electrons - 0.5) * SPAN_NM, (x / electrons - 0.5) * SPAN_NM

    return place


@pytest.fixture
def places_microscope() -> Callable[..., Any]:
    """Makes a microscope without noise whose frames tell where the beam was; keywords are `VirtualMicroscope`'s."""
    from dkl_core.stem.atoms import Atoms
    from dkl_core.stem.detectors import DetectorSettings
    from dkl_core.stem.microscope import VirtualMicroscope
    from dkl_core.stem.realism import Realism
    from dkl_core.stem.samples import Sample

    def make(*, field_nm: float = 20.0, shape: tuple[int, int] = (32, 32), **options: Any) -> VirtualMicroscope:
        sample = Sample.from_atoms(Atoms(np.zeros((1, 3)), np.array([6])), field_nm)
        options.setdefault("realism", Realism.ideal())
        options.setdefault("make_scatterer", lambda *of: Places(of[2].shape))
        return VirtualMicroscope(sample, detector=DetectorSettings(shape=shape), **options)

    return make


class Swift:
    """A running Swift.

    Attributes:
        context: Nion's own test context.
        configuration: the simulated devices.
        instrument, scan, camera: what is registered in Swift.
        document_controller: the window that nobody sees.
    """

    def __init__(self, context: Any, configuration: Any) -> None:
        self.context = context
        self.configuration = configuration
        self.instrument = context.instrument
        self.scan = context.scan_hardware_source
        self.camera = context.camera_hardware_source
        self.document_controller = context.document_controller
        self.document_model = context.document_model

    def pump(self, until: Callable[[], object], timeout: float = MOST_S) -> None:
        """Run the main loop, which does nothing by itself, until something is so."""
        limit = time.monotonic() + timeout
        while not until():
            assert time.monotonic() < limit, f"not within {timeout} s"
            self.document_controller.periodic()
            time.sleep(0.003)
        self.document_controller.periodic()

    def pump_for(self, seconds: float) -> None:
        """Run the main loop for a while."""
        end = time.monotonic() + seconds
        self.pump(lambda: time.monotonic() >= end, seconds + MOST_S)

    def on_worker(self, work: Callable[[], Any], timeout: float = MOST_S) -> Any:
        """What `work` returns on a thread of its own, while the main loop runs; what it raises is raised."""
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(work)
            self.pump(future.done, timeout)
            return future.result()

    def stop_devices(self) -> None:
        """Bring scan and camera to rest."""
        for source in (self.scan, self.camera):
            source.abort_recording()
            source.abort_playing(sync_timeout=5.0)
        self.camera.acquire_sequence_cancel()
        self.pump(lambda: not any(source.is_recording or source.is_playing for source in (self.scan, self.camera)))


@contextmanager
def running_swift(configuration: Any, folder: Path, *, is_app: bool = False) -> Iterator[Swift]:
    """Swift with these devices; its own leak counters are checked at the end."""
    from nion.instrumentation.test import AcquisitionTestContext
    from nion.swift.test import TestContext

    AcquisitionTestContext.begin_leaks()
    setup = TestContext.TestSetup(set_global=True)
    # Nion's default deletes and makes a folder in the working directory.
    configuration.configuration_location = folder
    with AcquisitionTestContext.AcquisitionTestContext(configuration, is_app=is_app) as context:
        swift = Swift(context, configuration)
        yield swift
        swift.stop_devices()
        del swift, context
    del setup
    AcquisitionTestContext.end_leaks(unittest.TestCase())


@pytest.fixture
def swift(tmp_path: Path, places_microscope: Callable[..., Any]) -> Iterator[Callable[..., Swift]]:
    """Opens Swift with a configuration of the simulator; without one, with a microscope that tells places."""
    from nionswift_plugin.dkl_simulator.configuration import Configuration

    with ExitStack() as opened:

        def open_swift(configuration: Any = None, **options: Any) -> Swift:
            configuration = configuration or Configuration(places_microscope())
            return opened.enter_context(running_swift(configuration, tmp_path, **options))

        yield open_swift
