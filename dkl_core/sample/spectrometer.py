"""How a spectrum follows from the local density of states.

A spectrum is linear in the density of states ρ. With a transmission T(E) = exp(|E| / E₀) that grows gently with energy,
I(V) = G ∫₀ⱽ ρ T dE, and dI/dV = G ρ T as the lock-in sees it, through its modulation (Klein et al., Phys. Rev. B 7,
2336 (1973)) and the thermal edge of the tip. Both are matrices, computed once per sweep and applied to ρ.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dkl_core.errors import InputError
from dkl_core.sample.electronics import LocalStates, kinds_of
from dkl_core.sample.settings import ElectronicSettings, Pair
from dkl_core.survey import FloatArray

BOLTZMANN_EV_PER_K = 8.617333e-5
ENERGY_STEP_EV = 0.005
VALENCE_PER_CONDUCTION = 0.5


@dataclass(frozen=True)
class Spectrometer:
    """The linear maps from a density of states to the two channels of a spectrum.

    Attributes:
        bias_v: (b,), V.
        energies_ev: grid on which the density of states is sampled (e,), eV.
        to_current_a: (e, b).
        to_didv_s: (e, b).
        settings: what it was built from.
    """

    bias_v: FloatArray
    energies_ev: FloatArray
    to_current_a: FloatArray
    to_didv_s: FloatArray
    settings: ElectronicSettings

    def density(self, states: LocalStates) -> FloatArray:
        """Local density of states (n, e), per eV."""
        settings, energies = self.settings, self.energies_ev
        soft = settings.onset_ev
        above = _ramp((energies - states.conduction_edge_ev[:, None]) / soft)
        below = _ramp((states.valence_edge_ev[:, None] - energies) / soft)
        bands = soft * (above + VALENCE_PER_CONDUCTION * below)
        density: FloatArray = bands + states.weights_ev @ self._levels()
        return density

    def _levels(self) -> FloatArray:
        width = self.settings.level_width_ev
        centres = np.array([kind.level_ev for kind in kinds_of(self.settings)])
        peaks: FloatArray = np.exp(-0.5 * ((self.energies_ev - centres[:, None]) / width) ** 2)
        peaks /= width * np.sqrt(2 * np.pi)
        return peaks

    def channels(self, states: LocalStates) -> tuple[FloatArray, FloatArray]:
        """Current in A and dI/dV in A/V without noise, each (n, b)."""
        density = self.density(states)
        return density @ self.to_current_a, density @ self.to_didv_s


@lru_cache(maxsize=16)
def spectrometer(settings: ElectronicSettings, bias_v: tuple[float, ...]) -> Spectrometer:
    """The spectrometer for these bias values.

    Raises:
        InputError: fewer than two values, or one that is not finite or out of ±10 V.
    """
    bias = np.asarray(bias_v, dtype=float)
    if bias.size < 2 or not np.isfinite(bias).all() or np.abs(bias).max() > 10:
        raise InputError(
            f"the bias has {bias.size} values, expected 2 or more finite ones within ±10 V; check the sweep"
        )
    energies = _energies(bias, 4 * BOLTZMANN_EV_PER_K * settings.temperature_k + 2 * settings.modulation_v)
    transmission = settings.conductance_a * np.exp(np.abs(energies) / settings.transmission_ev)
    seen = transmission[:, None] * _thermal(energies, settings.temperature_k)
    offsets = energies[:, None] - bias
    interpolation = np.maximum(0, 1 - np.abs(offsets) / ENERGY_STEP_EV)
    current = seen @ _integral(energies) @ interpolation
    return Spectrometer(bias, energies, current, seen @ _lock_in(offsets, settings.modulation_v), settings)


def bias_ramp(limits_v: Pair, points: int) -> tuple[float, ...]:
    """Bias values of a sweep, V."""
    return tuple(np.linspace(*limits_v, points).tolist())


def _ramp(values: FloatArray) -> FloatArray:
    """0 below and the identity above 0, with a smooth onset (softplus)."""
    ramp: FloatArray = np.maximum(values, 0) + np.log1p(np.exp(-np.abs(values)))
    return ramp


def _energies(bias: FloatArray, pad_ev: float) -> FloatArray:
    low, high = min(bias.min(), 0.0) - pad_ev, max(bias.max(), 0.0) + pad_ev
    energies: FloatArray = ENERGY_STEP_EV * np.arange(
        np.floor(low / ENERGY_STEP_EV) - 1, np.ceil(high / ENERGY_STEP_EV) + 2
    )
    return energies


def _thermal(energies: FloatArray, temperature_k: float) -> FloatArray:
    """Broadening by the Fermi edge of the tip, -df/dE, as a matrix (e, e)."""
    width = max(2 * BOLTZMANN_EV_PER_K * temperature_k, ENERGY_STEP_EV / 8)
    kernel: FloatArray = 1 / np.cosh(np.clip((energies[:, None] - energies) / width, -300, 300)) ** 2
    kernel /= kernel.sum(axis=0)
    return kernel


def _integral(energies: FloatArray) -> FloatArray:
    """Trapezoidal integral from 0 to each energy as a matrix (e, e)."""
    weights = np.tri(len(energies)).T - 0.5 * np.eye(len(energies))
    weights[0] -= 0.5
    zero = int(np.abs(energies).argmin())
    integral: FloatArray = ENERGY_STEP_EV * (weights - weights[:, [zero]])
    return integral


def _lock_in(offsets: FloatArray, modulation_v: float) -> FloatArray:
    """What a sine of that rms amplitude averages over: a semicircle round each bias, columns summing to 1."""
    half_width = max(np.sqrt(2) * modulation_v, ENERGY_STEP_EV)
    kernel: FloatArray = np.sqrt(np.maximum(0, 1 - (offsets / half_width) ** 2))
    kernel /= kernel.sum(axis=0)
    return kernel
