"""Atoms in an image: where they are, to a fraction of a pixel.

A small fully convolutional network, trained on simulated images, says where atoms may be; a simultaneous fit of all
overlapping spots says where exactly, and which of them the noise does not make. Finding atoms by a network follows
Ziatdinov et al., ACS Nano 11 (2017) 12742; the fit follows De Backer et al., Ultramicroscopy 171 (2016) 104.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dkl_core.lazy import lazy_names

if TYPE_CHECKING:
    from dkl_core.discovery.atoms.find import find_atoms
    from dkl_core.discovery.atoms.found import FoundAtoms, Method

__all__ = ["FoundAtoms", "Method", "find_atoms"]

__getattr__ = lazy_names(
    __name__,
    {
        "dkl_core.discovery.atoms.find": ("find_atoms",),
        "dkl_core.discovery.atoms.found": ("FoundAtoms", "Method"),
    },
)
