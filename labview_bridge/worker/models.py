"""The model's states beside the journal: written before the journal says that a fit was adopted."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dkl_core.errors import RecordError

_KEPT = 2
State = Mapping[str, NDArray[np.generic]]


class ModelFolder:
    """The states of the last fits of a run's frames; a cache that saves learning anew after a restart.

    Args:
        folder: the run's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "model"

    def save(self, frame: int, fit: int, state: State) -> str:
        """Put a state on the disk.

        Args:
            frame: number of the frame.
            fit: number of the fit, greater than those before.
            state: named arrays.

        Returns:
            Its name, for `load`.

        Raises:
            RecordError: it cannot be written.
        """
        name = f"frame{frame}_fit{fit:06d}.npz"
        self._write(name, state)
        for old in sorted(self._folder.glob(f"frame{frame}_fit*.npz"))[:-_KEPT]:
            with suppress(OSError):
                old.unlink()
        return name

    def save_structure(self, frame: int, state: State) -> str:
        """Put what is looked for in a frame's image on the disk.

        Args:
            frame: number of the frame.
            state: named arrays.

        Returns:
            Its name, for `load`.

        Raises:
            RecordError: it cannot be written.
        """
        name = f"frame{frame}_structure.npz"
        self._write(name, state)
        return name

    def _write(self, name: str, state: State) -> None:
        packed = io.BytesIO()
        arrays: dict[str, Any] = {key: np.asarray(value) for key, value in state.items()}
        np.savez(packed, **arrays)
        new = self._folder / (name + ".new")
        try:
            self._folder.mkdir(exist_ok=True)
            with new.open("wb") as file:
                file.write(packed.getbuffer())
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._folder / name)
        except OSError as error:
            raise RecordError(f"the model cannot be kept in {self._folder}: {error}; check the disk") from error

    def load(self, name: str) -> State | None:
        """A state, None where it is gone."""
        if Path(name).name != name:
            return None
        try:
            with np.load(self._folder / name, allow_pickle=False) as packed:
                return {key: packed[key] for key in packed.files}
        except (OSError, ValueError):
            return None
