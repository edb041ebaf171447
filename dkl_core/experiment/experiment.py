"""The state machine of an experiment: it is asked for sites and told measurements; the host owns the instrument."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dkl_core.acquisition import AcquisitionSettings
from dkl_core.errors import InputError
from dkl_core.experiment.driven import Driven
from dkl_core.experiment.journal import (
    EventSink,
    Told,
    check_note,
    no_sink,
    revision_event,
    usable_scalar,
)
from dkl_core.experiment.refit import RefitTask
from dkl_core.experiment.seeding import seed_order
from dkl_core.experiment.settings import ExperimentSettings, StopRules
from dkl_core.experiment.stopping import affordable
from dkl_core.experiment.structure import EVENT as STRUCTURE
from dkl_core.goal import Goal
from dkl_core.measurement import Measurement, Scalar, Site
from dkl_core.patches import Patches, make_patches
from dkl_core.survey import SurveyImage

if TYPE_CHECKING:
    from dkl_core.surrogate import Surrogate
    from dkl_core.surrogate.features import Features

_SEEDING = 1


class Experiment(Driven):
    """Decides where to measure next.

    Every random choice comes from the seed and the number of measurements, so that an experiment that is resumed
    from its record goes on as if it had not been interrupted.

    Args:
        survey: the survey image.
        settings: everything that decides which sites are measured.
        mask: pixels where a site is allowed, the image's shape; None allows all.
        positions: the user's own sites (M, 2) as (row, column) instead of a grid.
        sink: gets every event before it takes effect; what it raises leaves the experiment as it was.
        patches: the prepared patches, if they are known already.
        features: the feature table, if it is known already.

    Raises:
        InputError: an image, mask or setting that cannot be used, or more seeds than sites.
    """

    def __init__(
        self,
        survey: SurveyImage,
        settings: ExperimentSettings | None = None,
        *,
        mask: NDArray[np.bool_] | None = None,
        positions: ArrayLike | None = None,
        sink: EventSink = no_sink,
        patches: Patches | None = None,
        features: Features | None = None,
    ) -> None:
        settings = settings or ExperimentSettings()
        patches = patches or make_patches(survey, settings.patches, mask=mask, positions=positions)
        super().__init__(survey, patches, settings, features, sink)
        self.mask = mask
        self._seeds = seed_order(self.sites, settings.seeds, np.random.default_rng([settings.seed, _SEEDING]))

    # ------------------------------------------------------------------ ask

    def ask(self, count: int = 1, *, refit: bool = True) -> list[Site]:
        """The next sites to measure, in a short path; they are pending until they are told.

        Fewer than `count` come where the budget or the sites run out, none when the experiment is finished
        (`stop_reason` says why). After a resume the sites that were asked and never told come first, by themselves.

        Args:
            count: how many.
            refit: whether to wait for a refit that is due. Without, the model decides as it stands, with the exact
                posterior of all measurements; before its first fit the next seed comes.

        Raises:
            InputError: the experiment is paused, count is below 1, or see `learn_structure`.
        """
        if count < 1:
            raise InputError(f"{count} sites are asked for; ask for 1 or more")
        if self._state.paused:
            raise InputError("the experiment is paused; call resume() first")
        self._state.clock.run()
        if self.stop_reason is not None:
            self.rest()
            return []
        self.learn_structure()
        chosen = self._offered_again(count)
        if not chosen:
            left = affordable(self._state.log, self.settings, self._spent)
            chosen = self._choose(min(count, left), refit)
            if chosen:
                self.sink("ask", {"sites": chosen}, {})
                self._state.log.pending += chosen
        return [self.sites[index] for index in chosen]

    def ask_for(self, row: float, col: float) -> Site:
        """Make the site nearest to a place of the user's choice pending, instead of the model's choice.

        Raises:
            InputError: not a place, or its site is measured, pending or excluded already.
        """
        if not (math.isfinite(row) and math.isfinite(col)):
            raise InputError(f"row {row}, column {col} is no place; give pixels of the survey image")
        site = self.sites.nearest(row, col)
        if not self._state.log.is_open(site.index):
            raise InputError(f"the site at row {site.row}, column {site.col} is measured, pending or excluded already")
        self._keep_time()
        self.sink("ask", {"sites": [site.index], "by": "user"}, {})
        self._state.log.pending.append(site.index)
        return site

    def withdraw(self, site: Site | int) -> None:
        """Take a pending site back: it was not measured and may be asked for again."""
        index = self._index(site)
        if index in self._state.log.pending:
            self.sink("control", {"action": "withdraw", "site": index}, {})
            self._state.log.pending.remove(index)

    # ------------------------------------------------------------------ tell

    def tell(self, site: Site | int, measurement: Measurement | float) -> Told:
        """Take a measurement in, failed or not. It is recorded before anything else happens.

        Args:
            site: where; it need not have been asked for.
            measurement: raw data and scalar, or just the number. One that is not valid or not finite, or whose noise
                variance is impossible, counts as failed: it is kept, never learned from, and its site is tried again
                up to `retries` times.

        Raises:
            InputError: a site that does not exist, or something that a record cannot keep.
            RecordError: it could not be recorded; the experiment is as before, tell it again.
        """
        index = self._index(site)
        if not isinstance(measurement, Measurement):
            measurement = Measurement.of(measurement)
        self._keep_time()
        mean, std = self._state.model.expected(index)
        attempt = self._state.log.attempts(index) + 1
        taken = self._driven(index, _usable(measurement))
        told = Told(self.sites[index], taken, attempt, mean, std, elapsed=self.elapsed)
        self.sink("tell", *told.to_event())
        self._state.take_in(told)
        self._keep_time()
        return told

    def tell_failed(self, site: Site | int, reason: str) -> Told:
        """Say that a site could not be measured, and why."""
        return self.tell(site, Measurement.failed(reason))

    def revise(self, changes: Mapping[int, Scalar]) -> None:
        """Exchange scalars of measurements told before, for instance when their common reference is known better.

        Log, best value and model follow at once: the posterior is the exact one, with unchanged hyper-parameters. The
        first scalar of a measurement stays in its details as `original`. A noise variance that differs by less than a
        fifth stays as it is, as the model follows changes of values far more quickly. Where structure drives the
        experiment, only what is kept as `measured` changes, and whether the measurement counts.

        Args:
            changes: number of the measurement in `told` → its new scalar. One that cannot be used counts as failed.

        Raises:
            InputError: a measurement that was not told.
            RecordError: it could not be recorded; the experiment is as before.
        """
        told = self._state.log.told
        for number in changes:
            if not 0 <= number < len(told):
                raise InputError(f"measurement {number} cannot be revised; {len(told)} are told, counted from 0")
        usable = {operator.index(number): self._revision(told[number], scalar) for number, scalar in changes.items()}
        if usable:
            self.sink("revise", revision_event(usable), {})
            self._state.revise(usable)

    def note(self, kind: str, data: Mapping[str, Any] | None = None) -> None:
        """Record something that the host wants kept with the run.

        Args:
            kind: what it is about. Notes of the kind `dose` say what hits the sample beside the measurements: their
                `electrons` count towards the electron limit.
            data: JSON-compatible values.

        Raises:
            InputError: electrons that are no number, or values that a record cannot keep.
            RecordError: it could not be recorded.
        """
        noted = {**(data or {}), "kind": kind, "time": datetime.now(UTC).timestamp()}
        check_note(noted)
        self.sink("note", noted, {})
        self._state.notes.append(noted)

    # ------------------------------------------------------------------ the model

    def prepare(self, progress: Callable[[float], None] | None = None) -> None:
        """Load and calculate now what the first fit needs: seconds in which, in another thread, seeds can be measured.

        Nobody may begin a refit before it has returned.

        Args:
            progress: called with the share of a pre-training that is done; what it raises ends it.
        """
        self._state.model.prepare(progress)

    def begin_refit(self, iterations: int | None = None) -> RefitTask:
        """A refit on a snapshot of the measurements: call its `run()` in any thread, then `adopt` it.

        `ask` does this by itself when a refit is due; a host that must not wait does it while it measures.

        Raises:
            InputError: no valid measurement yet.
        """
        return self._state.model.begin_refit(self._state.log.observed(), iterations)

    def adopt(self, task: RefitTask) -> None:
        """Use a refit that has run; measurements told or revised since it began are taken in exactly.

        Nothing happens where no valid measurement is left.
        """
        if not task.done:
            raise InputError("the refit has not run yet; call run() first")
        data = self._state.log.observed()
        if len(data):
            self.sink("fit", *task.to_event(task.steps_to(data)))
            self._state.model.adopt(task, data)

    # ------------------------------------------------------------------ control

    def pause(self) -> None:
        """Refuse to be asked until `resume`; measurements under way can still be told."""
        self.sink("control", {"action": "pause"}, {})
        self._state.pause()

    def resume(self) -> None:
        """Go on after a pause."""
        self.sink("control", {"action": "resume"}, {})
        self._state.paused = False

    def stop(self, reason: str = "stopped by the user") -> None:
        """End the experiment; measurements under way can still be told."""
        self.sink("control", {"action": "stop", "reason": reason}, {})
        self._state.stopped = reason
        self._keep_time()

    def exclude(self, sites: Iterable[Site | int]) -> None:
        """Take sites out, a forbidden zone drawn during the run for instance; they are no longer pending either."""
        indices = [self._index(site) for site in sites]
        self.sink("control", {"action": "exclude", "sites": indices}, {})
        self._state.log.exclude(indices)

    def change(
        self,
        *,
        goal: Goal | None = None,
        acquisition: AcquisitionSettings | None = None,
        stop: StopRules | None = None,
    ) -> None:
        """Change goal, acquisition or stop rules during the run; an experiment that had finished may go on."""
        changed = replace(
            self.settings,
            goal=goal or self.settings.goal,
            acquisition=acquisition or self.settings.acquisition,
            stop=stop or self.settings.stop,
        )
        self.sink("control", {"action": "change", "settings": changed.to_json()}, {})
        self._state.change(changed)

    def rest(self) -> None:
        """Stop the clock of the time limit until the next `ask` or `tell`."""
        self._state.clock.hold()

    def forget_raw(self) -> None:
        """Keep no raw data in memory from now on: a record holds it."""
        self._state.keeps_raw = False

    # ------------------------------------------------------------------ resuming

    def replay_event(self, kind: str, data: Any, *, arrays: Mapping[str, NDArray[Any]] | None = None) -> None:
        """Repeat a recorded event without recording it; used when a run is resumed. Fits are restored apart.

        Args:
            kind: what happened.
            data: its data.
            arrays: its arrays; without those of the structure it is learned anew when it is needed.
        """
        if kind == STRUCTURE and self.structure is not None and arrays:
            self.structure.restore(data, arrays)
        self._state.repeat(kind, data)

    def restored(self, state: Any | None) -> None:
        """After the last event: put the model back and offer the sites again that were asked and never told."""
        self._state.restore(state)

    # ------------------------------------------------------------------ inside

    def _index(self, site: Site | int) -> int:
        index = site.index if isinstance(site, Site) else operator.index(site)
        if not 0 <= index < len(self.sites):
            raise InputError(f"there is no site {index}; sites are counted from 0 to {len(self.sites) - 1}")
        if isinstance(site, Site) and site != self.sites[index]:
            raise InputError(f"{site} is of another experiment; here site {index} is {self.sites[index]}")
        return index

    def _keep_time(self) -> None:
        """Let the clock run while more may be asked for, and to the end of what is under way when it is finished."""
        if self.is_active:
            self._state.clock.run()
        elif not self._state.log.pending:
            self.rest()

    def _offered_again(self, count: int) -> list[int]:
        outstanding = [index for index in self._state.offered if index in self._state.log.pending]
        self._state.offered = outstanding[count:]
        return outstanding[:count]

    def _choose(self, count: int, refit: bool) -> list[int]:
        chosen: list[int] = []
        while len(chosen) < count:
            if self._needs_seed(len(chosen)) or (self.surrogate is None and not refit):
                more = self._next_seed(chosen)
            else:
                more = self._chooser(self._ready_surrogate(refit)).best_sites(count - len(chosen), chosen)
            if not more:
                break
            chosen += more
        return chosen

    def _needs_seed(self, just_chosen: int) -> bool:
        log = self._state.log
        planned = log.valid_count + len(log.pending) + just_chosen
        return log.valid_count == 0 or planned < self.settings.seeds.count

    def _next_seed(self, taken: list[int]) -> list[int]:
        for index in self._seeds:
            if self._state.log.is_open(int(index)) and int(index) not in taken:
                return [int(index)]
        return []

    def _ready_surrogate(self, refit: bool) -> Surrogate:
        if self.surrogate is None or (refit and self.refit_due):
            self.adopt(self.begin_refit().run())
        assert self.surrogate is not None
        return self.surrogate


def _usable(measurement: Measurement) -> Measurement:
    """The measurement with a scalar that does not upset the model."""
    scalar = usable_scalar(measurement.scalar)
    return measurement if scalar is measurement.scalar else replace(measurement, scalar=scalar)
