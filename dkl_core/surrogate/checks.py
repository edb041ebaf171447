"""What may be told to a surrogate, and on which device it may run."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from dkl_core.errors import InputError
from dkl_core.survey import FloatArray


def checked_measurements(
    sites: int, indices: ArrayLike, values: ArrayLike, noise_variance: ArrayLike | None
) -> tuple[NDArray[np.int64], FloatArray, FloatArray]:
    """Measurements as arrays of equal length, with unknown noise variances as zero.

    Args:
        sites: number of sites.
        indices: measured sites (n,).
        values: their scalars (n,).
        noise_variance: known noise variances (n,), NaN or None where unknown.

    Raises:
        InputError: no measurement, lengths that differ, sites that do not exist, scalars or variances that are not
            finite.
    """
    measured = _checked_sites(sites, np.asarray(indices).reshape(-1))
    scalars = np.asarray(values, dtype=np.float64).reshape(-1)
    noise = np.zeros(len(scalars)) if noise_variance is None else np.asarray(noise_variance, np.float64).reshape(-1)
    if not len(measured) == len(scalars) == len(noise):
        raise InputError(
            f"{len(measured)} sites, {len(scalars)} scalars and {len(noise)} noise variances do not match; "
            "give one of each per measurement"
        )
    for site, scalar in zip(measured, scalars, strict=True):
        if not np.isfinite(scalar):
            raise InputError(f"the scalar of site {site} is {scalar}, not a finite number; tell it as failed instead")
    return measured, scalars, _checked_noise(noise)


def _checked_sites(sites: int, indices: NDArray[np.generic]) -> NDArray[np.int64]:
    if len(indices) == 0:
        raise InputError("there is no measurement to learn from; give at least one")
    if indices.dtype.kind not in "iu":
        raise InputError(f"sites are given as {indices.dtype} values; give whole numbers from 0 to {sites - 1}")
    measured = indices.astype(np.int64)
    if measured.min() < 0 or measured.max() >= sites:
        raise InputError(f"sites run from {measured.min()} to {measured.max()}; there are {sites}, counted from 0")
    return measured


def _checked_noise(noise: FloatArray) -> FloatArray:
    known = np.where(np.isnan(noise), 0.0, noise)
    bad = ~np.isfinite(known) | (known < 0)
    if bad.any():
        raise InputError(
            f"the noise variance {known[bad][0]} is not usable; give zero or a positive finite number, NaN if unknown"
        )
    return known


def resolve_device(name: str) -> torch.device:
    """A torch device by name; `auto` takes CUDA where there is one.

    Raises:
        InputError: unknown device, or CUDA asked for where there is none.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(f"unknown device {name!r}; choose cpu, cuda or auto") from error
    if device.type not in {"cpu", "cuda"}:
        raise InputError(f"device {name!r} does not serve, as it lacks double precision; choose cpu, cuda or auto")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InputError("no CUDA device was found; use --device cpu or auto")
    return device
