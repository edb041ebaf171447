"""The last scan that is in Swift, as a survey frame without dose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from nion.instrumentation.scan_base import ScanFrameParameters, ScanHardwareSource
from nion.utils import Geometry
from numpy.typing import NDArray

from dkl_core.errors import InstrumentError

if TYPE_CHECKING:
    from nion.data.DataAndMetadata import DataAndMetadata
    from nion.swift.model.DocumentModel import DocumentModel


def last_scan(document_model: DocumentModel, scan: ScanHardwareSource, channel: int) -> DataAndMetadata:
    """The last frame of a scan's channel.

    Raises:
        InstrumentError: there is none.
    """
    channel_id = scan.get_channel_id(channel)
    item = document_model.get_data_item_channel_reference(scan.hardware_source_id, channel_id).data_item
    xdata = None if item is None else item.xdata
    if xdata is None:
        raise InstrumentError(f"Swift holds no frame of {scan.display_name}; scan one, or let the survey be recorded")
    return xdata


def parameters_of(xdata: DataAndMetadata, present: ScanFrameParameters) -> ScanFrameParameters:
    """The scan's present parameters (a copy is changed, the class may be a device's own) for the frame of an image.

    Raises:
        InstrumentError: the image does not say where it was taken, or is a part of a frame.
    """
    scan = xdata.metadata.get("scan", {})
    size, shape = scan.get("scan_context_size"), tuple(xdata.data_shape)
    missing = [name for name in ("fov_nm", "rotation", "center_x_nm", "center_y_nm") if name not in scan]
    if missing or size is None or tuple(int(count) for count in size) != shape:
        raise InstrumentError(
            f"the last scan ({shape} pixels) does not say which frame it shows; scan a whole frame, without subscan"
        )
    present.pixel_size = Geometry.IntSize(*shape)
    present.fov_nm = float(scan["fov_nm"])
    present.rotation_rad = float(scan["rotation"])
    present.center_nm = Geometry.FloatPoint(y=float(scan["center_y_nm"]), x=float(scan["center_x_nm"]))
    return present


def image_of(xdata: DataAndMetadata) -> NDArray[np.float64]:
    """The image (rows, cols)."""
    return np.array(xdata.data, dtype=np.float64)
