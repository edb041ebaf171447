"""What a host sees of an experiment."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from dkl_core.experiment.choosing import Chooser
from dkl_core.experiment.journal import Told
from dkl_core.experiment.settings import ExperimentSettings
from dkl_core.experiment.state import State
from dkl_core.experiment.stopping import Spent, reason_to_be_content, reason_to_end
from dkl_core.measurement import Site
from dkl_core.patches import Patches, Sites
from dkl_core.survey import FloatArray, SurveyImage

if TYPE_CHECKING:
    from dkl_core.surrogate import Prediction, Surrogate
    from dkl_core.surrogate.features import Features

Phase = Literal["seeding", "deciding", "paused", "finished"]


class Standing:
    """The part of an `Experiment` that changes nothing: how it stands and what it believes.

    Attributes:
        survey: the survey image.
        patches: the sites and their patches.
    """

    def __init__(
        self, survey: SurveyImage, patches: Patches, settings: ExperimentSettings, features: Features | None
    ) -> None:
        self.survey = survey
        self.patches = patches
        self._state = State(patches, settings, features)

    @property
    def settings(self) -> ExperimentSettings:
        """The settings of the moment."""
        return self._state.settings

    @property
    def sites(self) -> Sites:
        """The candidate positions."""
        return self.patches.sites

    @property
    def told(self) -> tuple[Told, ...]:
        """All measurements in the order they were told, failed ones included, with their latest scalars.

        Those that a record holds are here without their raw data.
        """
        return tuple(self._state.log.told)

    @property
    def notes(self) -> tuple[Mapping[str, Any], ...]:
        """What the host has noted, in order."""
        return tuple(self._state.notes)

    @property
    def elapsed(self) -> float:
        """How long the experiment has been active, s: while it is asked and told, in this session and earlier ones."""
        return self._state.clock.elapsed

    @property
    def pending(self) -> tuple[Site, ...]:
        """Sites asked and not told yet."""
        return tuple(self.sites[index] for index in self._state.log.pending)

    @property
    def excluded(self) -> frozenset[int]:
        """Sites that are not measured (any more): failed too often, or taken out by the user."""
        return frozenset(self._state.log.excluded)

    @property
    def best(self) -> Told | None:
        """The best valid measurement so far."""
        return self._state.log.best(self.settings.goal)

    @property
    def surrogate(self) -> Surrogate | None:
        """The model, None before the first refit."""
        return self._state.model.surrogate

    @property
    def phase(self) -> Phase:
        """Where the experiment stands."""
        if self.stop_reason is not None:
            return "finished"
        if self._state.paused:
            return "paused"
        return "seeding" if self._is_seeding else "deciding"

    @property
    def is_active(self) -> bool:
        """Whether it may be asked: neither paused nor finished."""
        return not self._state.paused and self.stop_reason is None

    @property
    def stop_reason(self) -> str | None:
        """Why no further site is asked for; None while the experiment goes on."""
        if self._state.stopped is not None:
            return self._state.stopped
        ended = reason_to_end(self._state.log, self.settings, self._spent)
        if ended is not None or self._is_seeding:
            return ended
        return reason_to_be_content(self._state.log, self.settings, self.predict())

    @property
    def refit_due(self) -> bool:
        """Whether the model should learn its hyper-parameters anew."""
        valid = self._state.log.valid_count
        if valid == 0 or self._is_seeding:
            return False
        if self.surrogate is None:
            return True
        last = self.surrogate.fitted_to
        return valid >= last + max(1, math.ceil(self.settings.refit_growth * last))

    def predict(self) -> Prediction | None:
        """What the model believes of every site; None before the first refit."""
        return self._state.model.predict()

    def acquisition_map(self) -> FloatArray | None:
        """The acquisition of every site as the next `ask` sees it, without travel cost; None before the first refit."""
        if self.surrogate is None:
            return None
        with self.surrogate.imagining(self._state.log.pending):
            return self._chooser(self.surrogate).acquisition()

    @property
    def _is_seeding(self) -> bool:
        log = self._state.log
        return log.valid_count < min(self.settings.seeds.count, len(self.sites) - len(log.excluded))

    @property
    def _spent(self) -> Spent:
        rules = self.settings.stop
        if rules.seconds is None and rules.electrons is None:
            return Spent()
        return Spent.by(self._state.log.told, self._state.notes, self.elapsed)

    def _chooser(self, surrogate: Surrogate) -> Chooser:
        return Chooser(surrogate, self.sites, self._state.log, self.settings)
