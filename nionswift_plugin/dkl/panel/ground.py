"""The ground of an experiment: the survey image, the scan frame that it shows, and where sites may lie."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from dkl_core.errors import InputError
from dkl_core.patches import Sites
from dkl_core.survey import SurveyImage
from nionswift_plugin.dkl.acquisition.settings import SurveySettings
from nionswift_plugin.dkl.display.site_area import Mask, SiteArea
from nionswift_plugin.dkl.panel.model import PanelSettings

if TYPE_CHECKING:
    from nion.data.DataAndMetadata import DataAndMetadata

# The range of an image's greys, without its outliers, in percentiles.
_RANGE = (0.5, 99.5)


@dataclass(frozen=True, eq=False)
class Ground:
    """A survey image and the scan frame that it shows.

    Attributes:
        survey: the image.
        frame: the scan frame; patterns are taken within it.
        allowed: pixels where something can be measured, None for everywhere; of recorded data.
    """

    survey: SurveyImage
    frame: SurveySettings
    allowed: Mask | None = None

    @property
    def summary(self) -> str:
        """Size and pixels in words."""
        rows, cols = self.survey.shape
        pixel, size = self.survey.pixel_nm, self.survey.size_nm
        if pixel is None or size is None:
            return f"{rows} × {cols}"
        return f"{size[1]:.4g} nm · {rows} × {cols} · {pixel[1]:.3g} nm/px"


def ground_of(xdata: DataAndMetadata) -> Ground:
    """The image of a scan that is in Swift, and the frame that it shows.

    Raises:
        InputError: it is no whole, square, calibrated frame of a scan.
    """
    scan = xdata.metadata.get("scan", {})
    shape = tuple(int(count) for count in xdata.data_shape)
    if len(shape) != 2 or "fov_nm" not in scan:
        raise InputError("the selected item is no frame of a scan; select a HAADF scan, or acquire a survey")
    context = tuple(int(count) for count in scan.get("scan_context_size", shape))
    if context != shape or shape[0] != shape[1]:
        raise InputError(
            f"the selected frame has {shape[0]} × {shape[1]} px of a scan of {context[0]} × {context[1]} px; "
            "select a whole square frame, without subscan"
        )
    if abs(float(scan.get("center_x_nm", 0.0))) + abs(float(scan.get("center_y_nm", 0.0))) > 0:
        raise InputError("the selected frame was scanned off the centre; set the scan's centre to 0 and scan again")
    fov_nm = float(scan["fov_nm"])
    pixel_nm = fov_nm / shape[0]
    origin_nm = (pixel_nm - fov_nm) / 2
    values = np.array(xdata.data, dtype=np.float64)
    survey = SurveyImage(values, (pixel_nm, pixel_nm), (origin_nm, origin_nm))
    rotation_deg = float(np.degrees(scan.get("rotation", 0.0)))
    return Ground(survey, SurveySettings(size_px=shape[0], fov_nm=fov_nm, rotation_deg=rotation_deg))


def ground_from(survey: SurveyImage, frame: SurveySettings, allowed: Mask | None = None) -> Ground:
    """A survey that was just taken; its frame is pinned to what it was."""
    size_nm = survey.size_nm
    pinned = replace(frame, size_px=survey.shape[0], fov_nm=None if size_nm is None else size_nm[0])
    return Ground(survey, pinned, allowed)


def area_of(survey: SurveyImage, settings: PanelSettings, allowed: Mask | None = None) -> SiteArea:
    """Where sites may lie, within the pixels that are allowed anyway."""
    return SiteArea(settings.region, settings.forbidden, darkest(survey, settings.skip_percent), allowed=allowed)


def darkest(survey: SurveyImage, skip_percent: float) -> float | None:
    """The grey below which there are no sites, in the image's units; None leaves out nothing."""
    if skip_percent <= 0:
        return None
    low, high = (float(limit) for limit in np.nanpercentile(survey.values, _RANGE))
    return low + (high - low) * skip_percent / 100


def tried_sites(survey: SurveyImage, sites: Sites, window: int, count: int) -> list[int]:
    """Sites from the darkest to the brightest, evenly spread.

    Args:
        survey: the image.
        sites: all sites.
        window: edge of the patch over which brightness is judged, px.
        count: how many.
    """
    from scipy.ndimage import uniform_filter

    rows, cols = sites.positions.T
    order = np.argsort(uniform_filter(np.nan_to_num(survey.values), window)[rows, cols], kind="stable")
    return [int(order[at]) for at in np.unique(np.linspace(0, len(order) - 1, count).round().astype(int))]
