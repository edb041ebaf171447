"""Datasets that readers of the NSID convention recognise (pyNSID, SciFiReaders.NSIDReader)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dkl_core.record.events import Array

if TYPE_CHECKING:
    import h5py

_CONVENTION = "0.0.7"


@dataclass(frozen=True, eq=False)
class Axis:
    """One dimension of a dataset.

    Attributes:
        name: name of the dimension and of the dataset of its values.
        values: position of each element along it.
        quantity: what is varied along it.
        units: units of the values.
        type: how a viewer should show it.
    """

    name: str
    values: Array
    quantity: str
    units: str
    type: Literal["spatial", "temporal", "unknown"]


@dataclass(frozen=True)
class Title:
    """What a dataset holds.

    Attributes:
        title: a line for a figure.
        quantity: what was measured.
        data_type: how a viewer should show it.
    """

    title: str
    quantity: str
    data_type: Literal["image", "unknown"]


def mark_main(dataset: h5py.Dataset, axes: Sequence[Axis], title: Title) -> None:
    """Give a dataset the attributes and the dimension scales, in its own group, that make it an NSID main dataset."""
    dataset.attrs.update(
        title=title.title,
        main_data_name=dataset.name.rsplit("/", 1)[-1],
        quantity=title.quantity,
        units="generic",
        data_type=title.data_type,
        modality="generic",
        source="dkl-core",
        pyNSID_version=_CONVENTION,
    )
    for dimension, axis in zip(dataset.dims, axes, strict=True):
        dimension.label = axis.name
        dimension.attach_scale(_scale(dataset.parent, axis))


def _scale(group: h5py.Group, axis: Axis) -> h5py.Dataset:
    scale = group.create_dataset(axis.name, data=axis.values)
    scale.make_scale(axis.name)
    scale.attrs.update(name=axis.name, quantity=axis.quantity, units=axis.units, dimension_type=axis.type)
    return scale
