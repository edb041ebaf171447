"""The journal: a byte range inside the HDF5 file where events are appended without HDF5."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dkl_core.record.frames import Place, Read, whole_frames

if TYPE_CHECKING:
    import h5py

NAME = "journal"


def add_journal(h5: h5py.File, capacity: int, first: int) -> None:
    """Give a new file an empty journal.

    The bytes are reserved but not written, so they cost no space on the disk until they are used.

    Args:
        h5: the new file.
        capacity: bytes.
        first: number of the first event that it will hold.
    """
    import h5py

    layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    layout.set_layout(h5py.h5d.CONTIGUOUS)
    layout.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    layout.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    space = h5py.h5s.create_simple((capacity,))
    h5py.h5d.create(h5.id, NAME.encode(), h5py.h5t.STD_U8LE, space, dcpl=layout)
    h5[NAME].attrs.update(
        first=first,
        salt=int.from_bytes(os.urandom(4), "little"),
        meaning="events told since the file was last put in order; reopen and close the run to have them in tables",
    )


def journal_places(h5: h5py.File) -> tuple[Place, ...]:
    """Where the whole frames of an open file's journal lie; none if it has no journal."""
    if NAME not in h5:
        return ()
    journal = h5[NAME]
    return tuple(
        whole_frames(journal_reader(h5), journal.size, int(journal.attrs["first"]), int(journal.attrs["salt"]))
    )


def journal_reader(h5: h5py.File) -> Read:
    """Reads bytes of an open file's journal."""
    journal = h5[NAME]
    return lambda start, size: journal[start : start + size].tobytes()
