"""What an experiment learns from: the scalars that were measured, or the structure of its survey image."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dkl_core.errors import DataFileError, InputError
from dkl_core.experiment.journal import EventSink, Revision, Told, usable_scalar, with_steady_noise
from dkl_core.experiment.settings import ExperimentSettings
from dkl_core.experiment.standing import Standing
from dkl_core.experiment.structure import EVENT, Structure
from dkl_core.measurement import Measurement, Scalar
from dkl_core.patches import Patches
from dkl_core.survey import SurveyImage

if TYPE_CHECKING:
    from dkl_core.surrogate.features import Features


class Driven(Standing):
    """The part of an `Experiment` that says which number a measurement counts with.

    Attributes:
        structure: what is unusual in the survey image, where that drives the experiment; else None.
        sink: gets every event before it takes effect.
    """

    def __init__(
        self,
        survey: SurveyImage,
        patches: Patches,
        settings: ExperimentSettings,
        features: Features | None,
        sink: EventSink,
    ) -> None:
        super().__init__(survey, patches, settings, features)
        self.sink = sink
        self.structure: Structure | None = None
        if settings.structure is not None:
            self.structure = Structure(survey, self.sites, settings.structure, settings.patches, settings.seed)

    @property
    def structure_notices(self) -> tuple[str, ...]:
        """What the user should know before believing the structure; empty before it is known, and without one."""
        return () if self.structure is None else self.structure.notices

    @property
    def telling_share(self) -> float | None:
        """Share of what the model explains that it owes to structure, 0 to 1.

        None where it is not known well enough to be told, and where structure drives: it would be 1 by construction.
        """
        surrogate = self.surrogate
        return None if surrogate is None or self.structure is not None else surrogate.judgement.telling_share

    def learn_structure(self, progress: Callable[[float], None] | None = None) -> None:
        """Learn what is unusual in the survey image, where that drives the experiment and is not known yet.

        `ask` does this by itself, before anything is measured; it takes seconds, an autoencoder minutes.

        Args:
            progress: called with the share of a long training that is done; what it raises ends it.

        Raises:
            InputError: an image that shows no structure, or is smaller than the window.
            DataFileError: the saved target cannot be used.
            RecordError: it could not be recorded.
        """
        structure = self.structure
        if structure is None or structure.is_known:
            return
        data, arrays = structure.learn(progress)
        self.sink(EVENT, data, arrays)
        structure.restore(data, arrays)

    def _driven(self, index: int, measurement: Measurement) -> Measurement:
        """The measurement as it is learned from: a failed one as it is, a good one by the structure if that drives."""
        if self.structure is None or not measurement.ok:
            return measurement
        return measurement.driven_by(self._structural(index))

    def _revision(self, told: Told, scalar: Scalar) -> Revision:
        measured = with_steady_noise(usable_scalar(scalar), told.measurement.measured)
        if self.structure is None or not Measurement(measured).ok:
            return Revision(measured, None if self.structure is None else measured)
        is_known = told.measurement.ok and "measured" in told.measurement.details
        return Revision(told.measurement.scalar if is_known else self._structural(told.site.index), measured)

    def _structural(self, index: int) -> Scalar:
        assert self.structure is not None
        try:
            self.learn_structure()
        except (InputError, DataFileError) as error:
            # The measurement is there and is kept.
            return Scalar.invalid(f"what is unusual in the survey image is not known: {error}")
        return self.structure.scalar(index)
