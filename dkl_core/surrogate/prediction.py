"""What a surrogate believes of every site, and the units it believes it in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dkl_core.survey import FloatArray


@dataclass(frozen=True)
class Prediction:
    """What the surrogate believes of every site, in the scalar's units, each array of shape (M,).

    Attributes:
        mean: expected scalar.
        std: standard deviation of the noise-free scalar, everything included.
        gp_std: the part of it that the Gaussian processes report.
        ensemble_std: the part that comes from the experts' disagreement; std^2 = gp_std^2 + ensemble_std^2.
        noise_std: standard deviation of a measurement's noise, one number.
    """

    mean: FloatArray
    std: FloatArray
    gp_std: FloatArray
    ensemble_std: FloatArray
    noise_std: float

    @property
    def measurement_std(self) -> FloatArray:
        """Standard deviation of a new measurement: scalar and noise, shape (M,)."""
        return np.hypot(self.std, self.noise_std)


@dataclass(frozen=True)
class Scale:
    """From the scalar's units to standardised ones and back: scalar = offset + factor * standardised.

    Attributes:
        offset: mean of the scalars of the last fit, in their units.
        factor: their standard deviation; their size where they are all the same.
    """

    offset: float = 0.0
    factor: float = 1.0

    @classmethod
    def of(cls, values: FloatArray) -> Scale:
        """The scale of some scalars, exact for magnitudes whose squares floats cannot hold."""
        largest = float(np.abs(values).max())
        if largest == 0:
            return cls()
        relative = values / largest
        offset, spread = float(relative.mean()), float(relative.std())
        return cls(offset * largest, (spread if spread > 1e-10 else 1.0) * largest)
