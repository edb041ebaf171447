"""A Swift without window whose panel runs an experiment; as a program it says what it has measured, then how it ended.

    python -m tests.swift.panel.panel_program FOLDER {run,close}

`run` goes on until it is killed, `close` closes the window and quits in the middle of the run.
"""

from __future__ import annotations

import atexit
import os
import sys
from pathlib import Path
from typing import Any

from benchmarks.swift_places import places_microscope
from nionswift_plugin.dkl.headless import HeadlessSwift
from nionswift_plugin.dkl.panel import panel
from nionswift_plugin.dkl.panel.model import PanelSettings
from nionswift_plugin.dkl_simulator.configuration import Configuration

SITES, AT, EXPOSURE_MS = 400, 5, 10.0
LIMIT_S = 120.0


def height_nm(pattern: object) -> float:
    """The row of the beam, as such a pattern tells it."""
    from benchmarks.swift_places import place_of

    return place_of(pattern, 1.0).mean_nm[0]  # type: ignore[arg-type]


def settings(folder: Path) -> PanelSettings:
    """More sites than are ever measured."""
    return PanelSettings(
        survey_px=64,
        fov_nm=12.0,
        dwell_us=1.0,
        patch_px=8,
        every_px=2,
        measured="tests.swift.panel.panel_program:height_nm",
        sites=SITES,
        seeds=SITES // 2,
        exposure_ms=EXPOSURE_MS,
        binning=1,
        dark_frames=0,
        folder=str(folder),
    )


def say(*words: object) -> None:
    """One line at once, whatever becomes of the process."""
    os.write(1, (" ".join(str(word) for word in words) + "\n").encode())


def driven(folder: Path, how: str) -> None:
    """Run the experiment."""
    microscope = places_microscope()
    atexit.register(lambda: say("blanked", microscope.blanked))
    panel.run()
    with HeadlessSwift(Configuration(microscope)) as swift:
        window: Any = swift.document_controller
        window.workspace_controller.create_panels([panel.PANEL_ID])
        controller = window.find_dock_panel(panel.PANEL_ID).view.controller
        controller.adopt(settings(folder))
        controller.start()
        said = 0

        def told() -> int:
            nonlocal said
            session = controller.run.session
            experiment = None if session is None else session.experiment
            for one in () if experiment is None else experiment.told[said:]:
                say("measured", one.site.index, one.measurement.scalar.value.hex())
                said += 1
            return said

        swift.pump(lambda: told() >= (SITES if how == "run" else AT), LIMIT_S)


if __name__ == "__main__":
    driven(Path(sys.argv[1]), sys.argv[2])
