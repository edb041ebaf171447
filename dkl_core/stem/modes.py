"""A source of finite size as a few coherent modes of the aperture, in place of many points."""

from __future__ import annotations

import itertools
import math

import numpy as np

from dkl_core.stem.optics import FloatArray
from dkl_core.stem.probe import Probe

# Orders of the series that the modes are made of, and the part of the beam that they must carry.
ORDERS = 8
CARRIED = 0.95
MOST_MODES = 15


def source_modes(probe: Probe, sigma_nm: float, wavelength_nm: float) -> FloatArray:
    """The modes of a Gaussian source: real amplitudes in the aperture whose patterns add up incoherently.

    A source of standard deviation σ makes waves at k and k' of the aperture coherent by exp(−2π²σ²|k − k'|²). The
    eigenfunctions of that are the best set of their number (Wolf, J. Opt. Soc. Am. 72 (1982) 343). They are found among
    the products of powers that its series consists of.

    Args:
        probe: the probe of a point source.
        sigma_nm: standard deviation of the source's image on the sample, nm.
        wavelength_nm: wavelength of the electrons, nm.

    Returns:
        (modes, m, m) factors on the probe's aperture with the strongest first; as many as carry nearly the whole beam.
    """
    per_mrad = 2e-3 * math.pi * sigma_nm / wavelength_nm
    y, x = np.broadcast_arrays(per_mrad * probe.y_mrad, per_mrad * probe.x_mrad)
    envelope = np.exp(-(y**2 + x**2) / 2)
    powers = [(a, b) for a, b in itertools.product(range(ORDERS), repeat=2) if a + b < ORDERS]
    series = np.array([envelope * y**a * x**b / math.sqrt(math.factorial(a) * math.factorial(b)) for a, b in powers])
    weighted = (series * np.abs(probe.aperture)).reshape(len(powers), -1)
    strengths, mixed = np.linalg.eigh(weighted @ weighted.T)
    carried = np.cumsum(strengths[::-1])
    count = min(int(np.searchsorted(carried, CARRIED)) + 1, MOST_MODES)
    modes: FloatArray = np.tensordot(mixed[:, ::-1][:, :count].T, series, 1)
    return modes
