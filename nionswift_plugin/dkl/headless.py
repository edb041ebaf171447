"""Nion Swift without a window: for tests, benchmarks, the demo, and machines without a display."""

from __future__ import annotations

import asyncio
import gc
import logging
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from dkl_core.errors import InstrumentError
from nionswift_plugin.dkl.acquisition.main_loop import EventLoopMain

if TYPE_CHECKING:
    from nion.swift.DocumentController import DocumentController
    from nion.swift.model.DocumentModel import DocumentModel

Result = TypeVar("Result")
# Between two ticks the main thread leaves the interpreter to the worker and to the devices, s.
TICK_S = 0.002


class Hardware(Protocol):
    """What registers instrument, scan and camera with Swift."""

    def run(self) -> None:
        """Register them."""

    def stop(self) -> None:
        """Take them out again."""


class HeadlessSwift:
    """Swift with a project in memory, its hardware and its main loop, but no window; use it in a `with` block.

    The thread that enters it is Swift's main thread: it has to pump, by `run` or `pump`, or nothing happens there.
    What the experiment measures is in its own record; the project is forgotten.

    Args:
        hardware: registered while this Swift runs.
        configuration: folder where Swift's devices keep their settings; None for one that is forgotten.
    """

    def __init__(self, hardware: Hardware, configuration: Path | None = None) -> None:
        self._hardware, self._configuration = hardware, configuration
        self._exits = ExitStack()
        self._controller: DocumentController | None = None
        self._main: EventLoopMain | None = None

    def __enter__(self) -> HeadlessSwift:
        with ExitStack() as exits:
            folder = self._configuration or Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="dkl-swift-")))
            _own_event_loop(exits)
            profile = _made_profile(exits)
            with _quiet():
                _start_instrumentation(folder, exits)
                self._hardware.run()
            exits.callback(self._hardware.stop)
            self._controller = controller = _open_project(profile, exits)
            self._main = EventLoopMain(controller.event_loop)
            self._exits = exits.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._main is not None:
            self._main.close()
        # what acquisition objects still refer to each other would outlive the hardware
        gc.collect()
        self.document_controller.periodic()
        self._controller = self._main = None
        self._exits.close()

    @property
    def document_controller(self) -> DocumentController:
        """Stands for the window."""
        if self._controller is None:
            raise InstrumentError("this Swift does not run; use it within a with statement")
        return self._controller

    @property
    def document_model(self) -> DocumentModel:
        """The project."""
        model: DocumentModel = self.document_controller.document_model
        return model

    @property
    def main(self) -> EventLoopMain:
        """The main loop, for workers."""
        if self._main is None:
            raise InstrumentError("this Swift does not run; use it within a with statement")
        return self._main

    def pump(self, until: Callable[[], bool], timeout_s: float | None = None) -> bool:
        """Do the main thread's work until something is so.

        Args:
            until: is it?
            timeout_s: how long to wait at most, s; None for ever.

        Returns:
            Whether it came true in time.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while not until():
            if deadline is not None and time.monotonic() > deadline:
                return False
            self.document_controller.periodic()
            time.sleep(TICK_S)
        self.document_controller.periodic()
        return True

    def run(self, function: Callable[[], Result], timeout_s: float | None = None) -> Result:
        """Call a function on a thread of its own and do the main thread's work meanwhile.

        Args:
            function: may use the instrument and wait for the main thread.
            timeout_s: how long to wait at most, s; None for ever.

        Returns:
            What the function returns.

        Raises:
            InstrumentError: it has not returned in time; it is left to itself.
            Exception: what the function raised.
        """
        pool = ThreadPoolExecutor(1, "dkl-headless")
        answer = pool.submit(function)
        pool.shutdown(wait=False)
        if not self.pump(answer.done, timeout_s):
            raise InstrumentError(f"no result within {timeout_s:g} s; look for a device that does not answer")
        return answer.result()


def _own_event_loop(exits: ExitStack) -> None:
    # Swift's hardware sources ask for the thread's event loop, which from Python 3.12 on is not made by asking.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    exits.callback(loop.close)
    exits.callback(asyncio.set_event_loop, None)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Swift's list of where each device keeps its settings: here they are forgotten."""
    before = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(before)


def _start_instrumentation(folder: Path, exits: ExitStack) -> None:
    from nionswift_plugin import nion_instrumentation_ui as instrumentation

    logging.getLogger("acquisition").setLevel(logging.ERROR)
    instrumentation.configuration_location = folder
    instrumentation.run()
    exits.callback(instrumentation.stop)


def _made_profile(exits: ExitStack) -> Any:
    # Swift has projects in memory for its tests only; they come with it.
    from nion.swift.test.TestContext import MemoryProfileContext

    profile = MemoryProfileContext()
    exits.callback(profile.close)
    return profile


def _open_project(profile: Any, exits: ExitStack) -> DocumentController:
    from nion.instrumentation import stem_controller

    controller: DocumentController = profile.create_document_controller_with_application(auto_close=False)
    stem_controller.register_event_loop(controller.event_loop)
    exits.callback(stem_controller.unregister_event_loop)
    exits.callback(controller.close)
    return controller
