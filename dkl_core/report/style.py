"""The look of all figures: sizes, colours that colour-blind readers can tell apart, quiet axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colorbar import Colorbar
    from matplotlib.figure import Figure

SCREEN_INCHES = (13.66, 7.68)
SCREEN_DPI = 100

# Okabe and Ito, Color Universal Design (2008).
BLUE, VERMILLION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
PURPLE, SKY, BLACK, GREY = "#CC79A7", "#56B4E9", "#1A1A1A", "#6E6E6E"
LIGHT_GREY = "#E8E8E8"
LineStyle = str | tuple[int, tuple[int, int]]
METHOD_STYLES: dict[str, tuple[str, LineStyle]] = {
    "dkl": (BLUE, "-"),
    "random": (VERMILLION, "--"),
    "raster": (BLACK, "-."),
    "position": (GREEN, (0, (5, 1))),
    "pca": (PURPLE, ":"),
}
OTHER_STYLES: tuple[tuple[str, LineStyle], ...] = ((ORANGE, "-"), (SKY, "--"), (GREY, "-."), (ORANGE, ":"), (SKY, "-"))
ORDER_MAP, MEAN_MAP, STD_MAP, ACQUISITION_MAP = "plasma", "viridis", "cividis", "magma"

TITLE_PT, LABEL_PT, TICK_PT, NOTE_PT, HEADING_PT = 10.0, 9.0, 8.0, 8.5, 12.5


def new_figure(inches: tuple[float, float] = SCREEN_INCHES) -> Figure:
    """An empty figure that belongs to no window and no global state."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=inches, dpi=SCREEN_DPI, layout="constrained", facecolor="white")
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.set(w_pad=0.07, h_pad=0.07, wspace=0.02, hspace=0.03)  # type: ignore[call-arg]
    return figure


def quiet(axes: Axes, title: str, x_label: str, y_label: str, *, box: bool = False, remark: str | None = None) -> None:
    """Title, labels and restrained spines; a box only round images.

    A remark stands below the title; an empty one leaves room for a legend there.
    """
    from matplotlib.ticker import MaxNLocator

    raised = 0.0 if remark is None else 1.5 * NOTE_PT
    axes.set_title(title, fontsize=TITLE_PT, loc="left", fontweight="bold", color=BLACK, pad=6 + raised)
    if remark:
        axes.annotate(
            remark, (0, 1), (0, 5), xycoords="axes fraction", textcoords="offset points", fontsize=NOTE_PT, color=GREY
        )
    axes.set_xlabel(x_label, fontsize=LABEL_PT)
    axes.set_ylabel(y_label, fontsize=LABEL_PT)
    axes.tick_params(labelsize=TICK_PT, length=3, width=0.8, colors=BLACK)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    for side in ("top", "right"):
        axes.spines[side].set_visible(box)


def tidy_colour_bar(bar: Colorbar, label: str) -> None:
    """Few ticks, no outline, the unit written along the bar."""
    from matplotlib.ticker import MaxNLocator

    bar.locator = MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10])
    bar.update_ticks()
    bar.set_label(label, fontsize=LABEL_PT)
    bar.ax.tick_params(labelsize=TICK_PT, length=2.5, width=0.8)
    bar.outline.set_linewidth(0.6)


def limits(*arrays: NDArray[np.float64], margin: float = 0.05) -> tuple[float, float]:
    """The range of all finite values with a margin; half of it to either side of a constant, 0 to 1 without any."""
    values = np.concatenate([np.ravel(array) for array in arrays])
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    pad = margin * (high - low) if high > low else 0.5 * (abs(high) or 1.0)
    return low - pad, high + pad
