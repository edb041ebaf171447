"""The network's weights in a file: plain arrays of a .npz, and facts about them as JSON beside it."""

from __future__ import annotations

import zipfile
import zlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dkl_core.errors import DataFileError

if TYPE_CHECKING:
    from dkl_core.discovery.atoms.network import AtomNetwork

SHIPPED = Path(__file__).parent / "weights.npz"
_UNREADABLE = (
    ValueError, zipfile.BadZipFile, zlib.error, EOFError, KeyError, AttributeError, RuntimeError, TypeError
)  # fmt: skip


def save_weights(network: AtomNetwork, path: Path) -> Path:
    """Write a network's weights, in half precision."""
    from dkl_core.discovery.atoms.network import plain

    arrays = {name: value.numpy().astype(np.float16) for name, value in plain(network).items()}
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
    return path


def load_network(path: Path | None = None) -> AtomNetwork:
    """The network with the weights of a file, those of the package if None; not for training in place.

    Raises:
        DataFileError: the file cannot be read, or holds something else.
    """
    chosen = SHIPPED if path is None else Path(path)
    try:
        return _loaded(chosen, chosen.stat().st_mtime_ns)
    except OSError as error:
        raise DataFileError(f"the weights {chosen} cannot be read: {error.strerror or error}") from error


@lru_cache(maxsize=4)
def _loaded(path: Path, _changed: int) -> AtomNetwork:
    import torch

    from dkl_core.discovery.atoms.network import AtomNetwork, channels_last

    try:
        with np.load(path, allow_pickle=False) as file:
            state = {name: torch.from_numpy(file[name].astype(np.float32)) for name in file.files}
        network = AtomNetwork()
        network.load_state_dict(state)
    except _UNREADABLE as error:
        raise DataFileError(
            f"{path.name} holds no weights of the network that finds atoms; give a file that `dkl train-atoms` wrote"
        ) from error
    return channels_last(network.eval())
