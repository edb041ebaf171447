"""A one-dimensional dataset that grows, written in blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import h5py

_BLOCK = 512
_CHUNK = 1024


class Growing:
    """Appends to a dataset of a group, which is made if it is not there.

    Args:
        group: where the dataset is.
        name: its name.
        dtype: type of its elements; None for text.
        attributes: what a new dataset says about itself.
    """

    def __init__(self, group: h5py.Group, name: str, dtype: np.dtype[Any] | None, **attributes: str) -> None:
        import h5py

        if name not in group:
            kind = h5py.string_dtype() if dtype is None else dtype
            group.create_dataset(name, shape=(0,), maxshape=(None,), chunks=(_CHUNK,), dtype=kind, compression="gzip")
            group[name].attrs.update(attributes)
        self.dataset: h5py.Dataset = group[name]
        self._waiting: list[Any] = []

    def __len__(self) -> int:
        return int(self.dataset.size) + len(self._waiting)

    def add(self, value: object) -> None:
        """Append one element."""
        self._waiting.append(value)
        if len(self._waiting) >= _BLOCK:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        if self._waiting:
            size = int(self.dataset.size)
            self.dataset.resize((size + len(self._waiting),))
            self.dataset[size:] = self._waiting
            self._waiting = []
