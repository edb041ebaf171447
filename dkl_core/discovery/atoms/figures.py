"""Figures of found atoms: over the whole image, over its middle, and how bright they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dkl_core.report import style
from dkl_core.report.maps import colour_bar
from dkl_core.survey import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dkl_core.discovery.atoms.found import FoundAtoms

# The detail shows about this many distances between atoms.
_DETAIL = 22


def atoms_figure(image: FloatArray, found: FoundAtoms) -> Figure:
    """The atoms found in an image (rows, columns)."""
    figure = style.new_figure((15.0, 4.9))
    whole, detail, heights = figure.subplots(1, 3, width_ratios=(1, 1, 0.8))
    _shown(whole, image)
    dots = whole.scatter(
        *found.positions.T[::-1],
        c=found.intensities,
        s=float(np.clip(3e4 / max(len(found), 1), 0.6, 25)),
        cmap=style.MEAN_MAP,
        vmin=np.percentile(found.intensities, 1),
        vmax=np.percentile(found.intensities, 99),
        linewidths=0,
    )
    remark = f"{len(found):,} atoms by the {found.method} method, spot {found.width_px:.2f} px"
    style.quiet(whole, "Atoms", "column, px", "row, px", box=True, remark=remark)
    colour_bar(whole, dots, "height of the peak")
    _shown(detail, image)
    detail.scatter(*found.positions.T[::-1], s=14, color=style.VERMILLION, marker="+", linewidths=0.9)
    rows, cols = (_middle(n, found) for n in image.shape)
    detail.set(xlim=cols, ylim=rows[::-1])
    style.quiet(detail, "The middle", "column, px", "row, px", box=True, remark="")
    high = np.clip(found.intensities, None, np.percentile(found.intensities, 99.8))
    heights.hist(high, bins=60, color=style.BLUE)
    style.quiet(heights, "Heights", "height of the peak over its background", "atoms", remark="")
    return figure


def _shown(axes: Axes, image: FloatArray) -> None:
    low, high = np.nanpercentile(image, (0.5, 99.5))
    axes.imshow(image, cmap="gray", vmin=low, vmax=high, interpolation="nearest")


def _middle(size: int, found: FoundAtoms) -> tuple[float, float]:
    spacing = found.spacing_px if np.isfinite(found.spacing_px) else 8 * found.width_px
    half = min(size, _DETAIL * spacing) / 2
    return size / 2 - half - 0.5, size / 2 + half - 0.5
