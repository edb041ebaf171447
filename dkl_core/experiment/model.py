"""The experiment's model, and the steps by which its posterior came about, so that a resumed run can repeat them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dkl_core.errors import InputError
from dkl_core.experiment.refit import Observed, RefitTask, Steps
from dkl_core.patches import Patches
from dkl_core.surrogate.settings import SurrogateSettings

if TYPE_CHECKING:
    from dkl_core.surrogate import Prediction, Surrogate
    from dkl_core.surrogate.features import Features


class Model:
    """A surrogate that is there from the first fit on.

    Args:
        patches: the sites and their patches.
        settings: the surrogate's.
        features: the feature table, if it is known already.

    Attributes:
        surrogate: None before the first fit.
    """

    def __init__(self, patches: Patches, settings: SurrogateSettings, features: Features | None) -> None:
        self.surrogate: Surrogate | None = None
        self._patches, self._settings, self._features = patches, settings, features
        self._steps = Steps()

    def prepare(self, progress: Callable[[float], None] | None = None) -> None:
        """Make ready what the first fit needs and measurements do not change; it may run in another thread."""
        self._new_surrogate(progress)
        import torch

        # the first optimiser of a process loads modules for a second or two
        torch.optim.LBFGS([torch.zeros(1)])

    def predict(self) -> Prediction | None:
        """What is believed of every site; None before the first fit."""
        return None if self.surrogate is None else self.surrogate.predict()

    def expected(self, index: int) -> tuple[float, float]:
        """Mean and standard deviation of a measurement at a site; NaN before the first fit."""
        prediction = self.predict()
        if prediction is None:
            return math.nan, math.nan
        return float(prediction.mean[index]), float(prediction.measurement_std[index])

    def learn(self, index: int, value: float, noise_variance: float | None) -> None:
        """Add a measurement; nothing happens before the first fit."""
        if self.surrogate is not None:
            self.surrogate.update(index, value, noise_variance)

    def begin_refit(self, data: Observed, iterations: int | None) -> RefitTask:
        """A refit that starts from the present solution.

        Raises:
            InputError: no valid measurement yet.
        """
        if len(data) == 0:
            raise InputError("there is no valid measurement to fit to yet")
        fresh = self._new_surrogate()
        if self.surrogate is not None:
            fresh.take_over(self.surrogate.state())
        return RefitTask(fresh, data, iterations)

    def adopt(self, task: RefitTask, data: Observed) -> None:
        """Use a refit, brought to the present measurements."""
        surrogate, known = task.surrogate, data.first(len(task.data))
        if not task.data.has_places_and_noise_of(known):
            surrogate.recondition(data.indices, data.values, data.noise)
        elif not task.data.equals(known):
            surrogate.revalue(known.values)
        for at in range(surrogate.count, len(data)):
            surrogate.update(int(data.indices[at]), float(data.values[at]), float(data.noise[at]))
        self.surrogate = surrogate
        self.fitted(task.steps_to(data))

    def fitted(self, steps: Steps) -> None:
        """Remember that a fit was adopted, and how its posterior came about."""
        self._steps = steps

    def revise(self, before: Observed, after: Observed) -> None:
        """Learn from revised measurements, hyper-parameters unchanged; nothing happens before the first fit."""
        if self._steps.conditioned == 0 or before.equals(after):
            return
        if len(after) == 0:
            self.surrogate = None
            self.fitted(Steps())
        elif before.has_places_and_noise_of(after):
            self.fitted(replace(self._steps, revalued=len(after)))
            if self.surrogate is not None:
                self.surrogate.revalue(after.values)
        else:
            self.fitted(Steps(len(after)))
            if self.surrogate is not None:
                self.surrogate.recondition(after.indices, after.values, after.noise)

    def restore(self, state: Mapping[str, NDArray[np.generic]], data: Observed) -> None:
        """Put back the surrogate of the last fit, with every later step in its order."""
        if self._steps.conditioned == 0:
            return
        surrogate = self._new_surrogate()
        known = data.indices, data.values, data.noise
        surrogate.restore(state, *known, conditioned=self._steps.conditioned, revalued=self._steps.revalued)
        self.surrogate = surrogate

    def _new_surrogate(self, progress: Callable[[float], None] | None = None) -> Surrogate:
        # torch is loaded here, with the first model, and not with the package.
        from dkl_core.surrogate import Surrogate

        surrogate = Surrogate(self._patches, self._settings, self._features, progress)
        self._features = surrogate.features
        return surrogate
