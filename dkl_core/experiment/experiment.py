"""The state machine of an experiment: it is asked for sites and told measurements; the host owns the instrument."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dkl_core.acquisition import AcquisitionSettings
from dkl_core.errors import InputError
from dkl_core.experiment.choosing import Chooser
from dkl_core.experiment.journal import EventSink, Told, no_sink
from dkl_core.experiment.log import SiteLog
from dkl_core.experiment.refit import RefitTask
from dkl_core.experiment.seeding import seed_order
from dkl_core.experiment.settings import ExperimentSettings, StopRules
from dkl_core.experiment.stopping import reason_to_be_content, reason_to_end
from dkl_core.goal import Goal
from dkl_core.measurement import Measurement, Scalar, Site
from dkl_core.patches import Patches, Sites, make_patches
from dkl_core.survey import FloatArray, SurveyImage

if TYPE_CHECKING:
    from dkl_core.surrogate import Prediction, Surrogate
    from dkl_core.surrogate.features import Features

Phase = Literal["seeding", "deciding", "paused", "finished"]
_SEEDING = 1


class Experiment:
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
        self.survey = survey
        self.settings = settings or ExperimentSettings()
        self.mask = mask
        self.sink = sink
        self.patches = patches or make_patches(survey, self.settings.patches, mask=mask, positions=positions)
        self._features = features
        self._log = SiteLog(len(self.patches), self.settings.retries)
        self._seeds = seed_order(self.sites, self.settings.seeds, self._rng(_SEEDING))
        self._surrogate: Surrogate | None = None
        self._offered: list[int] = []
        self._paused = False
        self._stopped: str | None = None

    # ------------------------------------------------------------------ what the host sees

    @property
    def sites(self) -> Sites:
        """The candidate positions."""
        return self.patches.sites

    @property
    def told(self) -> tuple[Told, ...]:
        """All measurements in the order they were told, failed ones included."""
        return tuple(self._log.told)

    @property
    def pending(self) -> tuple[Site, ...]:
        """Sites asked and not told yet."""
        return tuple(self.sites[index] for index in self._log.pending)

    @property
    def excluded(self) -> frozenset[int]:
        """Sites that are not measured (any more): failed too often, or taken out by the user."""
        return frozenset(self._log.excluded)

    @property
    def best(self) -> Told | None:
        """The best valid measurement so far."""
        return self._log.best(self.settings.goal)

    @property
    def surrogate(self) -> Surrogate | None:
        """The model, None before the first refit."""
        return self._surrogate

    @property
    def phase(self) -> Phase:
        """Where the experiment stands."""
        if self.stop_reason is not None:
            return "finished"
        if self._paused:
            return "paused"
        return "seeding" if self._is_seeding else "deciding"

    @property
    def is_active(self) -> bool:
        """Whether it may be asked: neither paused nor finished."""
        return not self._paused and self.stop_reason is None

    @property
    def stop_reason(self) -> str | None:
        """Why no further site is asked for; None while the experiment goes on."""
        if self._stopped is not None:
            return self._stopped
        ended = reason_to_end(self._log, self.settings)
        if ended is not None or self._is_seeding:
            return ended
        return reason_to_be_content(self._log, self.settings, self.predict())

    # ------------------------------------------------------------------ ask

    def ask(self, count: int = 1) -> list[Site]:
        """The next sites to measure, in a short path; they are pending until they are told.

        Fewer than `count` come where the budget or the sites run out, none when the experiment is finished
        (`stop_reason` says why). After a resume the sites that were asked and never told come first, by themselves.

        Raises:
            InputError: the experiment is paused, or count is below 1.
        """
        if count < 1:
            raise InputError(f"{count} sites are asked for; ask for 1 or more")
        if self._paused:
            raise InputError("the experiment is paused; call resume() first")
        if self.stop_reason is not None:
            return []
        chosen = self._offered_again(count)
        if not chosen:
            left = self.settings.stop.budget - len(self._log.told) - len(self._log.pending)
            chosen = self._choose(min(count, left))
            if chosen:
                self.sink("ask", {"sites": chosen}, {})
                self._log.pending += chosen
        return [self.sites[index] for index in chosen]

    def ask_for(self, row: float, col: float) -> Site:
        """Make the site nearest to a place of the user's choice pending, instead of the model's choice.

        Raises:
            InputError: not a place, or its site is measured, pending or excluded already.
        """
        if not (math.isfinite(row) and math.isfinite(col)):
            raise InputError(f"row {row}, column {col} is no place; give pixels of the survey image")
        site = self.sites.nearest(row, col)
        if not self._log.is_open(site.index):
            raise InputError(f"the site at row {site.row}, column {site.col} is measured, pending or excluded already")
        self.sink("ask", {"sites": [site.index], "by": "user"}, {})
        self._log.pending.append(site.index)
        return site

    def withdraw(self, site: Site | int) -> None:
        """Take a pending site back: it was not measured and may be asked for again."""
        index = self._index(site)
        if index in self._log.pending:
            self.sink("control", {"action": "withdraw", "site": index}, {})
            self._log.pending.remove(index)

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
        mean, std = self._expected(index)
        told = Told(self.sites[index], _usable(measurement), self._log.attempts(index) + 1, mean, std)
        self.sink("tell", *told.to_event())
        self._take_in(told)
        return told

    def tell_failed(self, site: Site | int, reason: str) -> Told:
        """Say that a site could not be measured, and why."""
        return self.tell(site, Measurement.failed(reason))

    # ------------------------------------------------------------------ the model

    @property
    def refit_due(self) -> bool:
        """Whether the model should learn its hyper-parameters anew."""
        valid = self._log.valid_count
        if valid == 0 or self._is_seeding:
            return False
        if self._surrogate is None:
            return True
        last = self._surrogate.fitted_to
        return valid >= last + max(1, math.ceil(self.settings.refit_growth * last))

    def begin_refit(self, iterations: int | None = None) -> RefitTask:
        """A refit on a snapshot of the measurements: call its `run()` in any thread, then `adopt` it.

        `ask` does this by itself when a refit is due; a host that must not wait does it while it measures.

        Raises:
            InputError: no valid measurement yet.
        """
        data = self._log.observed()
        if len(data) == 0:
            raise InputError("there is no valid measurement to fit to yet")
        fresh = self._new_surrogate()
        if self._surrogate is not None:
            fresh.take_over(self._surrogate.state())
        return RefitTask(fresh, data, iterations)

    def adopt(self, task: RefitTask) -> None:
        """Use a refit that has run; measurements told since it began are added exactly."""
        if not task.done:
            raise InputError("the refit has not run yet; call run() first")
        self.sink("fit", *task.to_event())
        data = self._log.observed()
        for at in range(task.surrogate.count, len(data)):
            task.surrogate.update(int(data.indices[at]), float(data.values[at]), float(data.noise[at]))
        self._surrogate = task.surrogate

    def predict(self) -> Prediction | None:
        """What the model believes of every site; None before the first refit."""
        return None if self._surrogate is None else self._surrogate.predict()

    def acquisition_map(self) -> FloatArray | None:
        """The acquisition of every site as the next `ask` sees it, without travel cost; None before the first refit."""
        if self._surrogate is None:
            return None
        with self._surrogate.imagining(self._log.pending):
            return self._chooser(self._surrogate).acquisition()

    # ------------------------------------------------------------------ control

    def pause(self) -> None:
        """Refuse to be asked until `resume`; measurements under way can still be told."""
        self.sink("control", {"action": "pause"}, {})
        self._paused = True

    def resume(self) -> None:
        """Go on after a pause."""
        self.sink("control", {"action": "resume"}, {})
        self._paused = False

    def stop(self, reason: str = "stopped by the user") -> None:
        """End the experiment; measurements under way can still be told."""
        self.sink("control", {"action": "stop", "reason": reason}, {})
        self._stopped = reason

    def exclude(self, sites: Iterable[Site | int]) -> None:
        """Take sites out, a forbidden zone drawn during the run for instance; they are no longer pending either."""
        indices = [self._index(site) for site in sites]
        self.sink("control", {"action": "exclude", "sites": indices}, {})
        self._log.exclude(indices)

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
        self._apply_settings(changed)

    # ------------------------------------------------------------------ inside

    @property
    def _is_seeding(self) -> bool:
        return self._log.valid_count < min(self.settings.seeds.count, len(self.sites) - len(self._log.excluded))

    def _rng(self, *stream: int) -> np.random.Generator:
        return np.random.default_rng([self.settings.seed, *stream])

    def _index(self, site: Site | int) -> int:
        index = site.index if isinstance(site, Site) else operator.index(site)
        if not 0 <= index < len(self.sites):
            raise InputError(f"there is no site {index}; sites are counted from 0 to {len(self.sites) - 1}")
        if isinstance(site, Site) and site != self.sites[index]:
            raise InputError(f"{site} is of another experiment; here site {index} is {self.sites[index]}")
        return index

    def _offered_again(self, count: int) -> list[int]:
        outstanding = [index for index in self._offered if index in self._log.pending]
        self._offered = outstanding[count:]
        return outstanding[:count]

    def _apply_settings(self, settings: ExperimentSettings) -> None:
        self.settings = settings
        self._stopped = None

    def _take_in(self, told: Told) -> None:
        self._log.add(told)
        if told.measurement.ok and self._surrogate is not None:
            scalar = told.measurement.scalar
            self._surrogate.update(told.site.index, scalar.value, scalar.noise_variance)

    def _choose(self, count: int) -> list[int]:
        chosen: list[int] = []
        while len(chosen) < count:
            if self._needs_seed(len(chosen)):
                more = self._next_seed(chosen)
            else:
                more = self._chooser(self._ready_surrogate()).best_sites(count - len(chosen), chosen)
            if not more:
                break
            chosen += more
        return chosen

    def _needs_seed(self, just_chosen: int) -> bool:
        planned = self._log.valid_count + len(self._log.pending) + just_chosen
        return self._log.valid_count == 0 or planned < self.settings.seeds.count

    def _next_seed(self, taken: list[int]) -> list[int]:
        for index in self._seeds:
            if self._log.is_open(int(index)) and int(index) not in taken:
                return [int(index)]
        return []

    def _chooser(self, surrogate: Surrogate) -> Chooser:
        return Chooser(surrogate, self.sites, self._log, self.settings)

    def _ready_surrogate(self) -> Surrogate:
        if self._surrogate is None or self.refit_due:
            self.adopt(self.begin_refit().run())
        assert self._surrogate is not None
        return self._surrogate

    def _new_surrogate(self) -> Surrogate:
        # torch is loaded here, with the first model, and not with the package.
        from dkl_core.surrogate import Surrogate

        surrogate = Surrogate(self.patches, self.settings.surrogate, self._features)
        self._features = surrogate.features
        return surrogate

    def _expected(self, index: int) -> tuple[float, float]:
        prediction = self.predict()
        if prediction is None:
            return math.nan, math.nan
        return float(prediction.mean[index]), float(prediction.measurement_std[index])

    # ------------------------------------------------------------------ resuming

    def replay_event(self, kind: str, data: Any, raw: NDArray[Any] | None = None) -> None:
        """Repeat a recorded event without recording it; used when a run is resumed. Fits are restored apart."""
        match kind:
            case "ask":
                self._log.pending += [int(index) for index in data["sites"]]
            case "tell":
                self._take_in(Told.from_event(data, raw))
            case "control":
                self._replay_control(data)

    def restored(self, state: Any | None) -> None:
        """After the last event: put the model back and offer the sites again that were asked and never told."""
        if state is not None:
            data = self._log.observed()
            surrogate = self._new_surrogate()
            surrogate.restore(state, data.indices, data.values, data.noise)
            self._surrogate = surrogate
        self._offered = list(self._log.pending)

    def _replay_control(self, data: Any) -> None:
        match data["action"]:
            case "pause":
                self._paused = True
            case "resume":
                self._paused = False
            case "stop":
                self._stopped = str(data["reason"])
            case "exclude":
                self._log.exclude(int(index) for index in data["sites"])
            case "withdraw":
                self._log.pending.remove(int(data["site"]))
            case "change":
                self._apply_settings(ExperimentSettings.from_json(data["settings"]))


def _usable(measurement: Measurement) -> Measurement:
    """The measurement, or a failed one where its noise variance would upset the model."""
    scalar = measurement.scalar
    variance = scalar.noise_variance
    if not measurement.ok or variance is None or not (variance < 0 or math.isinf(variance)):
        return measurement
    reason = f"its noise variance is {variance}, which must be zero or positive and finite"
    return replace(measurement, scalar=Scalar.invalid(reason, scalar.value))
