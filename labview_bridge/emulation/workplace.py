"""A workplace for the emulated published VI: base folder, runs folder, settings, session; cleared away at the end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import labview_bridge
from labview_bridge.emulation.faults import worker_pids
from labview_bridge.emulation.node import LabVIEW, Session

DROP_IN = Path(labview_bridge.__file__).parent / "labview"
SETTINGS_VARIABLE = "DKL_BRIDGE_SETTINGS"
# Beyond every deadline that a settings file of an emulation gives.
HANG_S = 900.0


@dataclass(frozen=True)
class Workplace:
    """Where an emulated VI works.

    Attributes:
        folder: all of it.
        base: the VI's base folder.
        runs: the runs folder of the bridge.
        settings: the settings file.
        modules: folder of the drop-in, a copy: a module that cannot read its settings writes beside itself.
    """

    folder: Path

    @property
    def base(self) -> Path:
        """The VI's base folder."""
        return self.folder / "base"

    @property
    def runs(self) -> Path:
        """The runs folder of the bridge."""
        return self.folder / "runs"

    @property
    def settings(self) -> Path:
        """The settings file."""
        return self.folder / "dkl_bridge.json"

    @property
    def modules(self) -> Path:
        """Folder of the drop-in."""
        return self.folder / "modules"

    @classmethod
    def made(cls, folder: Path, published: Mapping[str, Any] | None = None, **settings: Any) -> Workplace:
        """Make the folders and the settings file.

        Args:
            folder: where; made if it is not there.
            published: settings of the drop-in beside its base folder.
            **settings: settings of the bridge beside interpreter and runs folder.
        """
        place = cls(folder.resolve())
        for made in (place.base, place.runs, place.modules):
            made.mkdir(parents=True, exist_ok=True)
        for module in DROP_IN.glob("*.py"):
            shutil.copy(module, place.modules)
        whole = {"python": sys.executable, "runs": str(place.runs), "idle_s": 120.0, **settings}
        whole["published"] = {"base": str(place.base), **(published or {})}
        place.settings.write_text(json.dumps(whole, indent=1), encoding="utf-8")
        return place

    @contextmanager
    def session(
        self, python: str = sys.executable, *, argv: bool = True, stdout: Literal["hidden", "closed"] = "hidden"
    ) -> Iterator[Session]:
        """A session of an emulated LabVIEW that finds this workplace's settings."""
        environment = {SETTINGS_VARIABLE: str(self.settings)}
        opened = LabVIEW().open_session(
            python, folder=self.folder, environment=environment, argv=argv, stdout=stdout, hang_s=HANG_S
        )
        with opened:
            yield opened

    def end_worker(self, limit_s: float = 30.0) -> None:
        """End the worker that serves the runs folder, and any that is just starting."""
        until = time.monotonic() + limit_s
        kinds = (signal.SIGCONT, signal.SIGTERM) if os.name == "posix" else (signal.SIGTERM,)
        pids = worker_pids(self.runs)
        while pids and time.monotonic() < until:
            for pid in pids:
                for kind in kinds:
                    with suppress(ProcessLookupError):
                        os.kill(pid, kind)
            time.sleep(0.1)
            pids = worker_pids(self.runs)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL if os.name == "posix" else signal.SIGTERM)

    def statuses(self) -> list[dict[str, Any]]:
        """What the drop-in said of its calls, in order."""
        return [
            json.loads(line)
            for path in sorted(self.base.glob("*_status.jsonl"))
            for line in path.read_text(encoding="utf-8").splitlines()
            if line.strip()
        ]
