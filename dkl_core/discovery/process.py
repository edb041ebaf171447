"""A Gaussian process over positions alone, with three kernels and a correlation length that is learned or given."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol, get_args

import numpy as np
import torch
from torch import Tensor

from dkl_core.discovery.pathfinder import IntArray
from dkl_core.errors import InputError
from dkl_core.patches import Sites
from dkl_core.surrogate.kernel import AdditiveKernel
from dkl_core.surrogate.posterior import SitePosterior
from dkl_core.survey import FloatArray

KernelName = Literal["rbf", "matern52", "rq"]
ModelName = Literal["position", "structure"]
LENGTH_BOUNDS = (1.0, 20.0)

# What is looked for is read from the image and the same at each visit; were all of it noise, the search would give up.
_NOISE_BOUNDS = (1e-3, 0.3)
_AMPLITUDE_BOUNDS = (0.1, 10.0)
_MIXTURE_BOUNDS = (0.1, 10.0)


@dataclass(frozen=True)
class ProcessSettings:
    """How the target is thought to vary over the image.

    Attributes:
        kernel: `rbf`, `matern52` or `rq` (rational quadratic).
        length: correlation length in steps of the site grid; None learns it.
        bounds: smallest and largest length that may be learned, in steps.
    """

    kernel: KernelName = "matern52"
    length: float | None = None
    bounds: tuple[float, float] = LENGTH_BOUNDS

    def __post_init__(self) -> None:
        if self.kernel not in get_args(KernelName):
            raise InputError(f"unknown kernel {self.kernel!r}; choose one of {', '.join(get_args(KernelName))}")
        if self.length is not None and not (math.isfinite(self.length) and self.length > 0):
            raise InputError(f"the correlation length is {self.length}; give a number of steps above 0, or None")
        if not 0 < self.bounds[0] < self.bounds[1] < math.inf:
            raise InputError(f"the correlation length's bounds are {self.bounds}; give a smaller and a larger number")


@dataclass(frozen=True)
class Hyper:
    """What a kernel is set to, for targets of mean 0 and variance 1.

    Attributes:
        length: correlation length in steps.
        amplitude: variance of the process.
        noise: variance of the noise.
        mixture: exponent of the rational quadratic kernel; of no use to the others.
    """

    length: float
    amplitude: float = 1.0
    noise: float = 0.05
    mixture: float = 1.0


@dataclass(frozen=True)
class PositionKernel(AdditiveKernel):
    """One stationary kernel on scaled positions, with d the distance in correlation lengths.

    a exp(-d^2 / 2); a (1 + √5 d + 5 d^2 / 3) exp(-√5 d); a (1 + d^2 / 2 m)^-m. Rasmussen and Williams (2006), eq. 4.9,
    4.17 and 4.19.

    Attributes:
        form: which of them.
        mixture: m.
    """

    form: KernelName = "rbf"
    mixture: float = 1.0

    @classmethod
    def of(cls, positions: FloatArray, form: KernelName, hyper: Hyper) -> PositionKernel:
        """The kernel between positions (M, 2) in steps."""
        length = torch.full((2,), hyper.length, dtype=torch.float64)
        amplitude = torch.tensor([hyper.amplitude], dtype=torch.float64)
        places = torch.as_tensor(positions, dtype=torch.float64)
        return cls((places,), amplitude, (False,), ("position",), (length,), form, hyper.mixture)

    def term(self, q: int, left: Tensor, right: Tensor | slice) -> Tensor:
        """Covariance of two sets of sites, shape (left, right)."""
        # Differences of the coordinates, not of squares: near sites of a large image would lose their digits.
        squared = torch.zeros(())
        for axis in self._scaled.T:
            squared = squared + (axis[left][:, None] - axis[right]) ** 2
        return self.amplitudes[q] * self._shape(squared)

    @cached_property
    def _scaled(self) -> Tensor:
        return self.coordinates[0] / self.lengthscales[0]

    def _shape(self, squared: Tensor) -> Tensor:
        match self.form:
            case "rbf":
                return torch.exp(-0.5 * squared)
            case "matern52":
                root = (5 * squared).sqrt()
                return (1 + root + 5 * squared / 3) * torch.exp(-root)
        return (1 + squared / (2 * self.mixture)) ** -self.mixture


class Model(Protocol):
    """What a search believes of the target before it has measured, learned from what it has."""

    @property
    def hyper(self) -> Hyper:
        """What the process is set to."""

    def learn(self, visited: IntArray, target: FloatArray) -> None:
        """Set it from sites (n,) and their targets (n,), of mean 0 and variance 1."""

    def posterior(self) -> SitePosterior:
        """The process over all sites before it knows any measurement."""


class PositionModel:
    """A process over the position alone.

    Args:
        sites: all sites.
        settings: its kernel.
    """

    def __init__(self, sites: Sites, settings: ProcessSettings) -> None:
        self._steps = steps_of(sites.positions, sites.stride)
        self._settings = settings
        self.hyper = initial(settings)

    def learn(self, visited: IntArray, target: FloatArray) -> None:
        """The most likely hyper-parameters for sites (n,) and their targets (n,)."""
        self.hyper = learned(self._settings, self._steps[visited], target, self.hyper)

    def posterior(self) -> SitePosterior:
        """The process over all sites before it knows any measurement."""
        return SitePosterior(PositionKernel.of(self._steps, self._settings.kernel, self.hyper), self.hyper.noise)


def learned(settings: ProcessSettings, positions: FloatArray, target: FloatArray, start: Hyper) -> Hyper:
    """The most likely hyper-parameters within their bounds, searched from where they were.

    Args:
        settings: which kernel, and whether the length is given.
        positions: measured ones in steps, (n, 2).
        target: measured values, of mean 0 and variance 1, (n,).
        start: where to begin.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from threadpoolctl import threadpool_limits

    model = GaussianProcessRegressor(_sklearn_kernel(settings, start), alpha=1e-8, optimizer=_short_search)
    with warnings.catch_warnings(), threadpool_limits(1):
        # A length at its bound is meant to stay there.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(positions, target)
    found = model.kernel_.get_params()
    return Hyper(
        length=float(found["k1__k2__length_scale"]),
        amplitude=float(found["k1__k1__constant_value"]),
        noise=float(found["k2__noise_level"]),
        mixture=float(found.get("k1__k2__alpha", start.mixture)),
    )


def initial(settings: ProcessSettings) -> Hyper:
    """What to believe before anything is measured."""
    return Hyper(settings.length or math.sqrt(settings.bounds[0] * settings.bounds[1]))


def steps_of(positions: IntArray, stride: int) -> FloatArray:
    """Positions in px as positions in steps of the site grid."""
    steps: FloatArray = np.asarray(positions, dtype=np.float64) / stride
    return steps


def _sklearn_kernel(settings: ProcessSettings, start: Hyper) -> Any:
    from sklearn.gaussian_process import kernels

    bounds = "fixed" if settings.length is not None else settings.bounds
    match settings.kernel:
        case "rbf":
            form = kernels.RBF(start.length, bounds)
        case "matern52":
            form = kernels.Matern(start.length, bounds, nu=2.5)
        case "rq":
            form = kernels.RationalQuadratic(start.length, start.mixture, bounds, _MIXTURE_BOUNDS)
    amplitude = kernels.ConstantKernel(start.amplitude, _AMPLITUDE_BOUNDS)
    return amplitude * form + kernels.WhiteKernel(start.noise, _NOISE_BOUNDS)


def _short_search(objective: Any, start: FloatArray, bounds: FloatArray) -> tuple[FloatArray, float]:
    """A few steps: the next search goes on from here."""
    from scipy.optimize import minimize

    found = minimize(objective, start, jac=True, bounds=bounds, method="L-BFGS-B", options={"maxiter": 15})
    return found.x, float(found.fun)
