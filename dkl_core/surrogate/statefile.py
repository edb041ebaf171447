"""The state of a surrogate on disk: tensors by name and nothing that runs code when it is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from zipfile import is_zipfile

import numpy as np
import torch
from numpy.typing import NDArray

from dkl_core.errors import DataFileError


def write_state(path: Path | str, state: Mapping[str, NDArray[np.float64]]) -> None:
    """Write arrays as plain tensors, which torch.load(weights_only=True) reads anywhere."""
    torch.save({name: torch.as_tensor(array) for name, array in state.items()}, path)


def read_state(path: Path | str) -> dict[str, NDArray[np.generic]]:
    """Read what `write_state` wrote.

    Raises:
        DataFileError: the file cannot be read, or holds anything but tensors by name.
    """
    try:
        with Path(path).open("rb") as file:
            # torch.load would take anything else for a pickle of its first versions
            if not is_zipfile(file):
                raise ValueError("it is no archive of tensors")
            file.seek(0)
            content = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, UnpicklingError) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise DataFileError(f"{path} is no saved surrogate: {reason}; give a file that save() wrote") from error
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise DataFileError(f"{path} is no saved surrogate: it holds other things than tensors by name")
    return {str(name): tensor.numpy() for name, tensor in content.items()}
