"""The surrogate: what an experiment asks for predictions and tells its measurements."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from dkl_core.errors import InputError
from dkl_core.patches import Patches
from dkl_core.surrogate.checks import checked_measurements, resolve_device
from dkl_core.surrogate.expert import Bench, Observations
from dkl_core.surrogate.features import Features, compute_features
from dkl_core.surrogate.memory import give_back
from dkl_core.surrogate.mixture import Judgement, Mixture, observations
from dkl_core.surrogate.posterior import SitePosterior
from dkl_core.surrogate.prediction import Prediction, Scale
from dkl_core.surrogate.sampling import pathwise_sample
from dkl_core.surrogate.settings import SurrogateSettings
from dkl_core.surrogate.statefile import read_state, write_state
from dkl_core.surrogate.threads import one_thread_each, side_by_side
from dkl_core.survey import FloatArray

_WORTH_A_THREAD = 500_000
# Measurements from which on a fit needs hundreds of MB for a while.
_MUCH = 400
Arrays = Mapping[str, NDArray[np.generic]]


class Surrogate:
    """Probabilistic model of the scalar given patch and position (deep kernel learning, Wilson et al. 2016).

    A mixture of exact Gaussian processes whose kernels add a term on position, terms on fixed structure features and,
    as far as held-out measurements are predicted better, a squared-exponential kernel on a network's embedding.

    Args:
        patches: the sites and their patches.
        settings: terms, priors, depth.
        features: the feature table if it is known already (it depends on patches and settings only).
        progress: called with the share of a pre-training that is done; what it raises ends it.
    """

    def __init__(
        self,
        patches: Patches,
        settings: SurrogateSettings | None = None,
        features: Features | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> None:
        self.settings = settings or SurrogateSettings()
        self.patches = patches
        self.device = resolve_device(self.settings.device)
        self.features = features or compute_features(patches, self.settings, progress)
        self._mixture = Mixture(Bench(self.features, patches, self.settings, self.device))
        self._scale = Scale()
        self._posteriors: list[tuple[float, SitePosterior]] = []
        self._fitted_to = 0
        self._count = 0
        self._imagining = 0
        self._prediction: Prediction | None = None

    def __len__(self) -> int:
        """Number of sites."""
        return len(self.patches)

    @property
    def judgement(self) -> Judgement:
        """Weight of depth, share of structure and held-out R^2 at the last refit."""
        return self._mixture.judgement

    @property
    def is_fitted(self) -> bool:
        """Whether there is anything to predict from."""
        return bool(self._posteriors)

    @property
    def fitted_to(self) -> int:
        """Number of measurements at the last refit."""
        return self._fitted_to

    @property
    def count(self) -> int:
        """Number of measurements the posterior knows."""
        return self._count

    @property
    def jitter(self) -> float:
        """Largest value that had to be added to a covariance's diagonal beyond the noise, standardised units."""
        return max((posterior.jitter for _, posterior in self._posteriors), default=0.0)

    @property
    def posteriors(self) -> tuple[tuple[float, SitePosterior], ...]:
        """The Gaussian processes that count, each with its weight (they add up to 1); none before a fit."""
        return tuple(self._posteriors)

    @property
    def scale(self) -> Scale:
        """From the units in which the Gaussian processes work to those of the scalar."""
        return self._scale

    def fit(
        self,
        indices: ArrayLike,
        values: ArrayLike,
        noise_variance: ArrayLike | None = None,
        *,
        iterations: int | None = None,
    ) -> None:
        """Learn hyper-parameters and networks from all measurements, starting from the last solution.

        Args:
            indices: measured sites (n,), repeats allowed.
            values: their scalars (n,).
            noise_variance: known variance of each scalar's noise (n,), in the scalar's units squared; None or NaN
                where unknown. It adds to the noise that the model finds itself.
            iterations: optimiser steps; by default those of the settings for a first fit or a refit.

        Raises:
            InputError: no measurement, lengths that differ, sites that do not exist, scalars that are not finite.
        """
        sites, scalars, noise = self._checked(indices, values, noise_variance)
        self._scale = Scale.of(scalars)
        data = self._observed(sites, scalars, noise)
        default = self.settings.warm_iterations if self._fitted_to else self.settings.iterations
        with one_thread_each():
            self._mixture.fit(data, iterations or default)
        self._fitted_to = len(sites)
        self._condition(sites, scalars, noise)
        if len(sites) >= _MUCH:
            give_back()

    def update(self, index: int, value: float, noise_variance: float | None = None) -> None:
        """Add one measurement to the exact posterior, hyper-parameters unchanged: O(n^2 + n M).

        Raises:
            InputError: nothing fitted yet, a site that does not exist, a scalar that is not finite.
        """
        self._require_fit()
        sites, scalars, noise = self._checked([index], [value], None if noise_variance is None else [noise_variance])
        target, extra = self._standardised(scalars, noise)
        news = int(sites[0]), float(target[0]), float(extra[0])
        with one_thread_each():
            self._each([partial(posterior.append, *news) for _, posterior in self._posteriors])
        self._count += 1
        self._prediction = None

    def revalue(self, values: ArrayLike) -> None:
        """Exchange all scalars (n,), at the same sites and with the same noise, hyper-parameters unchanged.

        The posterior is the exact one; O(n^2 + n M).

        Raises:
            InputError: nothing fitted yet, another number of scalars, one that is not finite.
        """
        self._require_fit()
        scalars = np.asarray(values, dtype=np.float64).reshape(-1)
        if len(scalars) != self._count:
            raise InputError(f"{len(scalars)} scalars are given for {self._count} measurements; give one for each")
        sites, scalars, noise = self._checked(np.zeros(len(scalars), dtype=np.int64), scalars, None)
        target = self._observed(sites, scalars, noise).target
        with one_thread_each():
            self._each([partial(posterior.retarget, target) for _, posterior in self._posteriors])
        self._prediction = None

    def recondition(self, indices: ArrayLike, values: ArrayLike, noise_variance: ArrayLike | None = None) -> None:
        """Forget the measurements and learn from these instead, hyper-parameters unchanged: O(n^3 + n^2 M).

        Raises:
            InputError: nothing fitted yet, or measurements that `fit` would refuse.
        """
        self._require_fit()
        sites, scalars, noise = self._checked(indices, values, noise_variance)
        data = self._observed(sites, scalars, noise)
        known = data.indices, data.target, data.extra_noise
        with one_thread_each():
            self._each([partial(posterior.condition, *known) for _, posterior in self._posteriors])
        self._count = len(sites)
        self._prediction = None

    def predict(self) -> Prediction:
        """Mean and standard deviations at all sites.

        Raises:
            InputError: nothing fitted yet.
        """
        self._require_fit()
        if self._prediction is None:
            self._prediction = self._predicted()
        return self._prediction

    @one_thread_each()
    def _predicted(self) -> Prediction:
        weights = [weight for weight, _ in self._posteriors]
        means = torch.stack([posterior.mean for _, posterior in self._posteriors])
        variances = torch.stack([posterior.variance for _, posterior in self._posteriors])
        share = torch.tensor(weights, dtype=torch.float64, device=means.device)[:, None]
        mean = (share * means).sum(0)
        within = (share * variances).sum(0)
        between = (share * (means - mean) ** 2).sum(0)
        noise = sum(weight * posterior.noise for weight, posterior in self._posteriors)
        return Prediction(
            mean=self._array(mean) * self._scale.factor + self._scale.offset,
            std=self._array((within + between).sqrt()) * self._scale.factor,
            gp_std=self._array(within.sqrt()) * self._scale.factor,
            ensemble_std=self._array(between.sqrt()) * self._scale.factor,
            noise_std=math.sqrt(noise) * self._scale.factor,
        )

    @one_thread_each()
    def structure_map(self) -> FloatArray:
        """The part of the predicted mean that structure explains, relative to its average, shape (M,).

        Raises:
            InputError: nothing fitted yet.
        """
        self._require_fit()
        total = torch.zeros(len(self), dtype=torch.float64, device=self.device)
        for weight, posterior in self._posteriors:
            for part in _parts(len(self)):
                total[part] += weight * posterior.structure_mean(part)
        return self._array(total - total.mean()) * self._scale.factor

    @one_thread_each()
    def sample(self, rng: np.random.Generator) -> FloatArray:
        """One function drawn from the posterior at all sites, shape (M,): for Thompson sampling.

        An expert is drawn by its weight, then a sample path by Matheron's rule (Wilson et al., ICML 2020).

        Raises:
            InputError: nothing fitted yet.
        """
        self._require_fit()
        weights = np.array([weight for weight, _ in self._posteriors])
        _, posterior = self._posteriors[int(rng.choice(len(weights), p=weights / weights.sum()))]
        return self._array(pathwise_sample(posterior, rng)) * self._scale.factor + self._scale.offset

    @contextmanager
    def imagining(self, indices: Sequence[int]) -> Iterator[Surrogate]:
        """Inside the block, sites count as measured with the value predicted: only the uncertainty shrinks.

        Raises:
            InputError: a site that does not exist.
        """
        before = [(posterior, len(posterior), posterior.mean, posterior.variance) for _, posterior in self._posteriors]
        self._imagining += 1
        try:
            for index in indices:
                self.imagine(index)
            yield self
        finally:
            self._imagining -= 1
            for posterior, known, mean, variance in before:
                if len(posterior) > known:
                    posterior.forget(known, mean, variance)
                    self._prediction = None

    def imagine(self, index: int) -> None:
        """One more imagined measurement; only inside `imagining`.

        Raises:
            InputError: outside `imagining`, or a site that does not exist.
        """
        if not self._imagining:
            raise InputError("imagine() would never be taken back here; call it inside `with surrogate.imagining([])`")
        if not 0 <= index < len(self):
            raise InputError(f"site {index} does not exist; there are {len(self)}, counted from 0")
        with one_thread_each():
            self._each([partial(posterior.imagine, index) for _, posterior in self._posteriors])
        self._prediction = None

    def state(self) -> dict[str, NDArray[np.float64]]:
        """All that a refit or a prediction starts from, as plain arrays (measurements not included)."""
        own = np.array([self._fitted_to, self._scale.offset, self._scale.factor])
        return self._mixture.arrays() | {"fit": own}

    def take_over(self, state: Arrays) -> None:
        """Start the next `fit` from a saved state, without measurements yet.

        Raises:
            InputError: a state of another model.
        """
        try:
            fitted, offset, factor = (float(x) for x in np.asarray(state["fit"]))
            fitted_to, scale = int(fitted), Scale(offset, factor)
            self._mixture.restore({name: np.asarray(array, dtype=np.float64) for name, array in state.items()})
        except (KeyError, ValueError) as error:
            raise InputError(
                f"the saved state belongs to another model: {error}; use the settings and window it was saved with"
            ) from error
        self._fitted_to = fitted_to
        self._scale = scale
        self._posteriors = []
        self._count = 0
        self._prediction = None

    def restore(
        self,
        state: Arrays,
        indices: ArrayLike,
        values: ArrayLike,
        noise_variance: ArrayLike | None = None,
        *,
        conditioned: int | None = None,
        revalued: int = 0,
    ) -> None:
        """Continue from a saved state: condition on the measurements known at the last fit, then add the later ones.

        The posterior is the one of the saved surrogate to the last bit, as every step is repeated in its order.

        Args:
            state: what `state` gave.
            indices: measured sites (n,).
            values: their scalars (n,).
            noise_variance: as in `fit`.
            conditioned: how many of them the posterior was last conditioned on at once, where it was not by the fit.
            revalued: how many were there at the last `revalue` after that; 0 if there was none.

        Raises:
            InputError: a state of another model, or fewer measurements than it was fitted to.
        """
        sites, scalars, noise = self._checked(indices, values, noise_variance)
        self.take_over(state)
        first = self._fitted_to if conditioned is None else conditioned
        if max(first, revalued) > len(sites):
            raise InputError(f"the saved state was fitted to {first} measurements; only {len(sites)} are given")
        self._condition(sites[:first], scalars[:first], noise[:first])
        for at in range(first, len(sites)):
            if at == revalued:
                self.revalue(scalars[:at])
            self.update(int(sites[at]), float(scalars[at]), float(noise[at]))
        if revalued == len(sites):
            self.revalue(scalars)

    def save(self, path: Path | str) -> None:
        """Write the state as plain tensors; read it with `load`, or with torch.load(weights_only=True)."""
        write_state(path, self.state())

    def load(
        self, path: Path | str, indices: ArrayLike, values: ArrayLike, noise_variance: ArrayLike | None = None
    ) -> None:
        """Read a state written by `save` and condition on the measurements.

        Raises:
            DataFileError: the file cannot be read as plain tensors.
            InputError: a state of another model, or fewer measurements than it was fitted to.
        """
        self.restore(read_state(path), indices, values, noise_variance)

    def _condition(self, sites: NDArray[np.int64], scalars: FloatArray, noise: FloatArray) -> None:
        data = self._observed(sites, scalars, noise)
        with one_thread_each():
            weights, experts = zip(*self._mixture.experts, strict=True)
            posteriors = side_by_side([partial(expert.posterior, data) for expert in experts])
        self._posteriors = list(zip(weights, posteriors, strict=True))
        self._count = len(sites)
        self._prediction = None

    def _require_fit(self) -> None:
        if not self._posteriors:
            raise InputError("the surrogate knows no measurement yet; call fit() first")

    def _each(self, tasks: list[Callable[[], None]]) -> None:
        """A step of every posterior; handing a small one to another thread costs more than it saves."""
        if self._count * len(self) < _WORTH_A_THREAD:
            for task in tasks:
                task()
        else:
            side_by_side(tasks)

    def _checked(
        self, indices: ArrayLike, values: ArrayLike, noise_variance: ArrayLike | None
    ) -> tuple[NDArray[np.int64], FloatArray, FloatArray]:
        if self._imagining:
            raise InputError("a measurement told inside imagining() would be lost at its end; leave the block first")
        return checked_measurements(len(self), indices, values, noise_variance)

    def _observed(self, sites: NDArray[np.int64], scalars: FloatArray, noise: FloatArray) -> Observations:
        return observations(sites, *self._standardised(scalars, noise), self.device)

    def _standardised(self, scalars: FloatArray, noise: FloatArray) -> tuple[FloatArray, FloatArray]:
        factor = self._scale.factor
        return (scalars - self._scale.offset) / factor, noise / factor / factor

    @staticmethod
    def _array(tensor: torch.Tensor) -> FloatArray:
        array: FloatArray = tensor.cpu().numpy()
        return array


def _parts(length: int, size: int = 8192) -> list[slice]:
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]
