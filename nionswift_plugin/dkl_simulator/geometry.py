"""From Swift's scan parameters and probe fractions to places on the sample; y and x in nm."""

from __future__ import annotations

import math
from dataclasses import replace

from nion.instrumentation.scan_base import ScanFrameParameters
from nion.instrumentation.stem_controller import ScanContext
from nion.utils import Geometry

from dkl_core.stem.scan import ScanFrame

Pair = tuple[float, float]
# Swift's positive angles turn the x axis towards the y axis, down the screen; those of a `ScanFrame` the other way.
TURN = -1.0


def probe_nm(context: ScanContext, fraction: Geometry.FloatPoint) -> Pair:
    """Where the beam goes.

    Args:
        context: the scan frame that the fraction refers to; its longer side has the field of view.
        fraction: position from the upper left corner, 0 to 1.

    Returns:
        (y, x) in scan coordinates, nm.
    """
    height, width = _extent(context.size, context.fov_nm)
    local = Geometry.FloatPoint(y=(fraction.y - 0.5) * height, x=(fraction.x - 0.5) * width)
    place = context.center_nm + local.rotate(context.rotation_rad)
    return float(place.y), float(place.x)


def scan_frame(parameters: ScanFrameParameters) -> ScanFrame:
    """The scan that Swift's parameters ask for; a subscan or line scan becomes a frame of its own."""
    size = parameters.subscan_pixel_size or parameters.pixel_size
    height, width = _extent(parameters.pixel_size, parameters.fov_nm)
    centre, rotation = parameters.center_nm, parameters.rotation_rad
    if parameters.subscan_pixel_size:
        part = parameters.subscan_fractional_size or Geometry.FloatSize(1.0, 1.0)
        middle = parameters.subscan_fractional_center or Geometry.FloatPoint(0.5, 0.5)
        local = Geometry.FloatPoint(y=(middle.y - 0.5) * height, x=(middle.x - 0.5) * width)
        centre = centre + local.rotate(rotation)
        rotation -= parameters.subscan_rotation
        height, width = height * part.height, width * part.width
    return ScanFrame(
        shape=(size.height, size.width),
        fov_nm=_pixel_nm(size, height, width) * max(size.height, size.width),
        rotation_deg=TURN * math.degrees(rotation),
        centre_nm=(float(centre.y), float(centre.x)),
        pixel_time_s=parameters.pixel_time_us * 1e-6,
    )


def lines(frame: ScanFrame, first: int, last: int) -> ScanFrame:
    """The part of a whole frame from one line to before another."""
    rows = frame.shape[0]
    return replace(frame, window=(first / rows, 0.0, (last - first) / rows, 1.0))


def _extent(size: Geometry.IntSize, fov_nm: float) -> Pair:
    """Height and width of a frame of square pixels; Swift's own properties disagree on which side the field is."""
    pixel_nm = fov_nm / max(size.height, size.width)
    return size.height * pixel_nm, size.width * pixel_nm


def _pixel_nm(size: Geometry.IntSize, height_nm: float, width_nm: float) -> float:
    # Only along a line is there a pitch; across it, Swift gives the line a width of its own.
    if size.height == 1:
        return width_nm / size.width
    if size.width == 1:
        return height_nm / size.height
    return math.sqrt(height_nm / size.height * width_nm / size.width)
