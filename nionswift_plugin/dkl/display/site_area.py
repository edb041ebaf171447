"""Where sites may be, from a drawn region, forbidden shapes and a threshold, and the sites that follow."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dkl_core.errors import InputError
from dkl_core.masks import threshold_mask
from dkl_core.patches import PatchSettings, Sites, make_patches
from dkl_core.survey import SurveyImage
from nionswift_plugin.dkl.display.pictures import Colour, Picture, SurveyPicture

Pair = tuple[float, float]
Mask = NDArray[np.bool_]
Outline = Literal["rectangle", "ellipse"]
_ALLOWED: Colour = (86, 180, 233)
_LEFT_OUT: Colour = (213, 94, 0)
_PATCH: Colour = (240, 228, 66)


@dataclass(frozen=True)
class Shape:
    """A drawn shape, in fractions of the survey image as Swift has them.

    Attributes:
        outline: what it is.
        centre: (y, x).
        size: height and width before it is turned.
        rotation_rad: how far it is turned, counter-clockwise on the screen.
    """

    outline: Outline
    centre: Pair
    size: Pair
    rotation_rad: float = 0.0

    def mask(self, shape: tuple[int, int]) -> Mask:
        """The pixels whose centres are inside, shape (rows, columns)."""
        rows, cols = shape
        down = ((np.arange(rows) + 0.5) / rows - self.centre[0])[:, None] * rows
        right = ((np.arange(cols) + 0.5) / cols - self.centre[1])[None, :] * cols
        cos, sin = math.cos(self.rotation_rad), math.sin(self.rotation_rad)
        along, across = cos * right - sin * down, sin * right + cos * down
        half_height, half_width = self.size[0] * rows / 2, self.size[1] * cols / 2
        if self.outline == "rectangle":
            return np.asarray((np.abs(across) <= half_height) & (np.abs(along) <= half_width))
        radii = max(half_height, 1e-9), max(half_width, 1e-9)
        return np.asarray((across / radii[0]) ** 2 + (along / radii[1]) ** 2 <= 1)


@dataclass(frozen=True)
class SiteArea:
    """Where sites may be.

    Attributes:
        region: only inside; None allows the whole image.
        forbidden: nowhere inside these.
        darkest: nothing darker than this, in the image's units: vacuum; None allows all.
        smooth_px: blur before the threshold, so that noise does not speckle, px.
        allowed: nowhere else than in these pixels (rows, columns); None for everywhere.
    """

    region: Shape | None = None
    forbidden: tuple[Shape, ...] = ()
    darkest: float | None = None
    smooth_px: float = 2.0
    allowed: Mask | None = field(default=None, compare=False)

    def mask(self, survey: SurveyImage) -> Mask | None:
        """Pixels where a site is allowed, None for everywhere.

        Raises:
            InputError: the threshold leaves nothing.
        """
        if self.region is None and not self.forbidden and self.darkest is None:
            return self.allowed
        mask = np.ones(survey.shape, dtype=np.bool_) if self.allowed is None else self.allowed.copy()
        if self.region is not None:
            mask &= self.region.mask(survey.shape)
        for shape in self.forbidden:
            mask &= ~shape.mask(survey.shape)
        if self.darkest is not None:
            mask &= threshold_mask(survey, low=self.darkest, smooth_px=self.smooth_px)
        return mask


@dataclass(frozen=True, eq=False)
class Preview:
    """What a choice of sites means.

    Attributes:
        picture: the survey image with the sites, bytes (rows, columns, 3) as Swift has them.
        sites: None where there are none.
        mask: pixels where a site is allowed, None for everywhere.
        problem: why there are no sites; empty if there are.
    """

    picture: Picture
    sites: Sites | None
    mask: Mask | None
    problem: str = ""

    @property
    def count(self) -> int:
        """Number of sites."""
        return 0 if self.sites is None else len(self.sites)


def preview(survey: SurveyImage, picture: SurveyPicture, patches: PatchSettings, area: SiteArea) -> Preview:
    """Lay the sites and draw them: what is left out red, the first patch as a square.

    Args:
        survey: the survey image.
        picture: draws on it.
        patches: window and stride.
        area: where sites may be.
    """
    drawn, mask = picture.blank(), None
    try:
        mask = area.mask(survey)
        if mask is not None:
            picture.tint(drawn, ~mask, _LEFT_OUT)
        sites = make_patches(survey, patches, mask=mask).sites
    except InputError as error:
        return Preview(drawn, None, mask, str(error))
    picture.dot(drawn, sites.positions.astype(np.float64), _ALLOWED, apart=patches.stride)
    top, left = (sites.positions[len(sites) // 2] - patches.window // 2).tolist()
    picture.frame(drawn, top, left, patches.window, _PATCH)
    return Preview(drawn, sites, mask)
