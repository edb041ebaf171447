"""The camera's calibration and settings, checked once: from here on patterns are in mrad."""

from __future__ import annotations

import math
from dataclasses import dataclass

from nion.data.DataAndMetadata import DataAndMetadata
from nion.instrumentation.camera_base import CameraFrameParameters, CameraHardwareSource

from dkl_core.errors import InputError, InstrumentError
from nionswift_plugin.dkl.acquisition.settings import PatternSettings

MRAD = {"rad": 1e3, "mrad": 1.0}


@dataclass(frozen=True)
class PatternCalibration:
    """What the numbers of a pattern mean.

    Attributes:
        shape: (rows, cols) of a pattern.
        mrad_per_px: angle per pixel, mrad.
        counts_per_electron: counts that an electron of the beam gives, None if the camera does not say.
    """

    shape: tuple[int, int]
    mrad_per_px: float
    counts_per_electron: float | None


def camera_parameters(camera: CameraHardwareSource, settings: PatternSettings) -> CameraFrameParameters:
    """The camera's present parameters with the exposure and binning of an experiment.

    Raises:
        InputError: the camera cannot do them; the message says what it can.
    """
    parameters = camera.get_current_frame_parameters()
    binning = parameters.binning if settings.binning is None else settings.binning
    if binning not in camera.binning_values:
        known = ", ".join(str(value) for value in camera.binning_values)
        raise InputError(f"the camera {camera.display_name} has no binning {binning}; choose one of {known}")
    parameters.exposure_ms, parameters.binning = settings.exposure_ms, binning
    # Swift's record ignores the first and misreports the second.
    parameters.processing, parameters.integration_count = None, 1
    valid = camera.validate_frame_parameters(parameters)
    if not math.isclose(valid.exposure_ms, settings.exposure_ms, rel_tol=0.01) or valid.binning != binning:
        raise InputError(
            f"the camera {camera.display_name} would expose for {valid.exposure_ms:g} ms at binning {valid.binning} "
            f"instead of {settings.exposure_ms:g} ms at {binning}; set these"
        )
    return parameters


def calibration_of(xdata: DataAndMetadata, settings: PatternSettings) -> PatternCalibration:
    """The calibration of a test frame, with what the user set instead.

    The frame's offset is not used: with a part of the sensor read out it is that of another part.

    Raises:
        InstrumentError: the frame is no image, or its scale is neither known nor set.
    """
    if len(xdata.data_shape) != 2:
        raise InstrumentError(
            f"the camera gives data of shape {xdata.data_shape}; set it to images, without processing"
        )
    rows, cols = xdata.data_shape
    counts = settings.counts_per_electron or _counts_per_electron(xdata)
    return PatternCalibration((rows, cols), settings.mrad_per_px or _mrad_per_px(xdata), counts)


def _mrad_per_px(xdata: DataAndMetadata) -> float:
    down, right = xdata.dimensional_calibrations
    for calibration in (down, right):
        if calibration.units not in MRAD or not calibration.scale:
            raise InstrumentError(
                f"the camera is calibrated in {calibration.units or 'pixels'}, not in rad; calibrate it "
                "or set mrad_per_px"
            )
    scales = [abs(calibration.scale) * MRAD[calibration.units] for calibration in (down, right)]
    if not math.isclose(*scales, rel_tol=0.01):
        raise InstrumentError(f"the camera's pixels are {scales[0]:g} × {scales[1]:g} mrad; set mrad_per_px")
    return scales[0]


def _counts_per_electron(xdata: DataAndMetadata) -> float | None:
    stated = xdata.metadata.get("hardware_source", {}).get("counts_per_electron")
    return float(stated) if stated else None
