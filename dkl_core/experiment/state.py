"""Where an experiment stands: changed by its events alone, as they happen or when they are repeated from a record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dkl_core.experiment.clock import ActiveClock
from dkl_core.experiment.journal import Revision, Told
from dkl_core.experiment.log import SiteLog
from dkl_core.experiment.model import Model
from dkl_core.experiment.refit import Steps
from dkl_core.experiment.settings import ExperimentSettings
from dkl_core.patches import Patches

if TYPE_CHECKING:
    from dkl_core.surrogate.features import Features


class State:
    """Measurements, model, settings and what the user has ordered.

    Attributes:
        settings: those of the moment.
        log: what is measured, pending and excluded.
        model: the surrogate.
        clock: how long the experiment has been active.
        notes: what the host has noted, in order.
        offered: sites that were asked before a resume and never told, to be offered again.
        paused: whether it may not be asked.
        stopped: why the user ended it, None if that did not happen.
        keeps_raw: whether told measurements keep their raw data in memory.
    """

    def __init__(self, patches: Patches, settings: ExperimentSettings, features: Features | None) -> None:
        self.settings = settings
        self.log = SiteLog(len(patches), settings.retries)
        self.model = Model(patches, settings.surrogate, features)
        self.clock = ActiveClock()
        self.notes: list[Mapping[str, Any]] = []
        self.offered: list[int] = []
        self.paused = False
        self.stopped: str | None = None
        self.keeps_raw = True

    def take_in(self, told: Told) -> None:
        """A measurement was told."""
        self.log.add(told if self.keeps_raw else told.without_raw())
        if told.measurement.ok:
            scalar = told.measurement.scalar
            self.model.learn(told.site.index, scalar.value, scalar.noise_variance)

    def revise(self, changes: Mapping[int, Revision]) -> None:
        """Scalars were revised."""
        before = self.log.observed()
        self.log.revise(changes)
        self.model.revise(before, self.log.observed())

    def pause(self) -> None:
        """The user paused."""
        self.paused = True
        self.clock.hold()

    def change(self, settings: ExperimentSettings) -> None:
        """The settings changed; an experiment that was ended goes on."""
        self.settings = settings
        self.stopped = None

    def repeat(self, kind: str, data: Any) -> None:
        """Repeat a recorded event; of a fit only that it happened, its surrogate comes back in `restore`."""
        match kind:
            case "ask":
                self.log.pending += [int(index) for index in data["sites"]]
            case "tell":
                told = Told.from_event(data)
                self.take_in(told)
                self.clock.set(max(told.elapsed, self.clock.elapsed))
            case "revise":
                self.revise({int(change["told"]): Revision.from_json(change) for change in data["changes"]})
            case "fit":
                fitted_to = data.get("measurements", self.log.valid_count)
                self.model.fitted(Steps(int(data.get("conditioned", fitted_to)), int(data.get("revalued", 0))))
            case "note":
                self.notes.append(data)
            case "control":
                self._repeat_control(data)

    def restore(self, state: Mapping[str, NDArray[np.generic]] | None) -> None:
        """After the last event: put the model back and offer the sites again that were asked and never told."""
        if state is not None:
            self.model.restore(state, self.log.observed())
        self.offered = list(self.log.pending)

    def _repeat_control(self, data: Any) -> None:
        match data["action"]:
            case "pause":
                self.pause()
            case "resume":
                self.paused = False
            case "stop":
                self.stopped = str(data["reason"])
            case "exclude":
                self.log.exclude(int(index) for index in data["sites"])
            case "withdraw":
                self.log.pending.remove(int(data["site"]))
            case "change":
                self.change(ExperimentSettings.from_json(data["settings"]))
