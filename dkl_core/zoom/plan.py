"""What several levels of zoom are made of, and the step from an experiment to the frame below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from dkl_core.errors import InputError
from dkl_core.experiment import Experiment, ExperimentSettings
from dkl_core.frame import Frame
from dkl_core.survey import SurveyImage
from dkl_core.zoom.choose import ZoomDecision, next_frame
from dkl_core.zoom.sizes import ZoomRules, ZoomSize
from dkl_core.zoom.windows import Windows


@dataclass(frozen=True)
class ZoomPlan:
    """Everything that decides which frames and sites are measured.

    Attributes:
        settings: of each level's experiment, the outermost first; a single one holds for all.
        sizes: of the frames below the outermost.
        rules: what a window must fulfil to become the next frame.
    """

    settings: tuple[ExperimentSettings, ...]
    sizes: tuple[ZoomSize, ...]
    rules: ZoomRules = field(default_factory=ZoomRules)

    def __post_init__(self) -> None:
        if not self.sizes:
            raise InputError("no size is given to zoom to; give at least one, or use run() for a single frame")
        if len(self.settings) not in (1, self.depth):
            raise InputError(
                f"{len(self.settings)} settings are given for {self.depth} levels (the outermost frame and "
                f"{len(self.sizes)} within it); give one for all of them, or one each"
            )

    @classmethod
    def of(
        cls,
        settings: ExperimentSettings | Sequence[ExperimentSettings],
        sizes: Sequence[ZoomSize],
        rules: ZoomRules | None,
    ) -> ZoomPlan:
        """A plan of what the user gave."""
        each = (settings,) if isinstance(settings, ExperimentSettings) else tuple(settings)
        return cls(each, tuple(sizes), rules or ZoomRules())

    @property
    def depth(self) -> int:
        """Number of levels, the outermost included."""
        return len(self.sizes) + 1

    def settings_of(self, level: int) -> ExperimentSettings:
        """The settings of a level's experiment."""
        return self.settings[level if len(self.settings) > 1 else 0]

    def check(self, survey: SurveyImage) -> None:
        """Refuse, before anything is measured, a plan that would fail at a lower level.

        Raises:
            InputError: a size that does not fit into the one before, or settings that images like this one do not suit.
        """
        frame = Frame.of_image(survey)
        for size in self.sizes:
            size_nm = size.of(frame)
            Windows.of(frame, size_nm, self.rules.margin_nm)
            frame = Frame(frame.corner_nm, size_nm, frame.shape, frame)
        for settings in self.settings[1:]:
            Experiment(survey, settings)

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON-compatible values."""
        return {
            "settings": [settings.to_json() for settings in self.settings],
            "sizes": [asdict(size) for size in self.sizes],
            "rules": asdict(self.rules),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ZoomPlan:
        """The inverse of `to_json`."""
        settings = [ExperimentSettings.from_json(one) for one in data["settings"]]
        return cls.of(settings, [ZoomSize(**size) for size in data["sizes"]], ZoomRules(**data["rules"]))


def decide(experiment: Experiment, frame: Frame, size: ZoomSize, rules: ZoomRules | None = None) -> ZoomDecision:
    """The next frame within an experiment's, by the predicted merit of its sites.

    The model is brought up to date first. Excluded sites do not count.

    Args:
        experiment: finished, or far enough to be judged.
        frame: the frame of its survey image.
        size: the size of the next frame.
        rules: what a window must fulfil.

    Returns:
        The next frame, or the reason why there is none; see `next_frame`.
    """
    if experiment.refit_due or experiment.surrogate is None:
        _fit(experiment)
    prediction = experiment.predict()
    score = std = np.full(len(experiment.sites), np.nan)
    if prediction is not None:
        score, std = experiment.settings.goal.merit(prediction.mean).copy(), prediction.std
        score[sorted(experiment.excluded)] = np.nan
    return next_frame(frame, experiment.sites.positions, score, size, std=std, rules=rules)


def _fit(experiment: Experiment) -> None:
    if any(told.measurement.ok for told in experiment.told):
        experiment.adopt(experiment.begin_refit().run())
