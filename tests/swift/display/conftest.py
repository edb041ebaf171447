"""A window of Swift with a project in memory; Swift's own leak counters are clean afterwards."""

from __future__ import annotations

import time
import unittest
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

MOST_S = 120.0


class Window:
    """A window.

    Attributes:
        controller: Swift's document controller.
        model: the project.
        stage: for what is shown there.
    """

    def __init__(self, controller: Any) -> None:
        from nionswift_plugin.dkl.acquisition.main_loop import EventLoopMain
        from nionswift_plugin.dkl.display.publish import Stage

        self.controller, self.model = controller, controller.document_model
        self.main = EventLoopMain(controller.event_loop)
        self.stage = Stage(controller, self.main)

    def pump(self, until: Callable[[], object]) -> None:
        """Run the main loop until something is so."""
        limit = time.monotonic() + MOST_S
        while not until():
            assert time.monotonic() < limit, f"not within {MOST_S} s"
            self.controller.periodic()
            time.sleep(0.003)
        self.controller.periodic()

    def pump_for(self, seconds: float) -> None:
        """Run the main loop for a while."""
        end = time.monotonic() + seconds
        self.pump(lambda: time.monotonic() >= end)

    def delete(self, data_item: Any) -> None:
        """Delete a data item as the user does."""
        self.model.remove_data_item(data_item)


@contextmanager
def without_leaks() -> Iterator[None]:
    from nion.swift.test import TestContext

    TestContext.begin_leaks()
    setup = TestContext.TestSetup(set_global=True)
    yield
    del setup
    TestContext.end_leaks(unittest.TestCase())


@contextmanager
def memory_window() -> Iterator[Window]:
    from nion.swift.test import TestContext

    with without_leaks(), TestContext.create_memory_context() as context:
        window = Window(context.create_document_controller())
        yield window
        window.main.close()
        del window, context


@contextmanager
def file_window(folder: Path) -> Iterator[Window]:
    """A window on a project in files; the second time it shows what was written the first time."""
    import json
    import uuid

    from nion.swift import DocumentController
    from nion.swift.model import FileStorageSystem, Profile
    from nion.swift.test import TestContext
    from nion.ui import TestUI

    setup = TestContext.TestSetup(set_global=True)
    path = folder / "Profile.nsproj"
    # without its folder the cache would be waited for for ever
    (folder / "Cache").mkdir(parents=True, exist_ok=True)
    if not path.exists():
        kept = {"version": FileStorageSystem.PROFILE_VERSION, "uuid": str(uuid.uuid4())}
        path.write_text(json.dumps(kept), "utf-8")
    storage = FileStorageSystem.make_file_persistent_storage_system(path)
    storage.load_properties()
    profile = Profile.Profile(storage_system=storage, cache_dir_path=folder / "Cache")
    profile.read_profile()
    if not profile.project_references:
        profile.create_project(folder / "Projects", "DKL")
    reference = profile.project_references[0]
    if reference.document_model is None:
        profile.read_project(reference)
    controller = DocumentController.DocumentController(
        TestUI.UserInterface(), reference.document_model, workspace_id="library"
    )
    window = Window(controller)
    try:
        yield window
    finally:
        window.main.close()
        controller.close()
        profile.close()
        del setup


@pytest.fixture
def open_window() -> Iterator[Callable[[], Window]]:
    """Opens a window on a project in memory."""
    with ExitStack() as opened:
        yield lambda: opened.enter_context(memory_window())
