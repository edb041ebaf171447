"""Panels in the coordinates of the sample: the survey image with its measured sites, and maps over all sites."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dkl_core.report import style
from dkl_core.report.data import FloatArray, RunFigureData
from dkl_core.report.geometry import Axis2D, Grid, cell_size
from dkl_core.report.units import Scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable

NEXT = "#00E5FF"


@dataclass(frozen=True)
class MapLook:
    """How a map is drawn.

    Attributes:
        title: heading of the panel.
        name: what stands on the colour bar.
        unit: unit of the values, may be empty.
        cmap: name of the colour map.
        scale: scale to share with other panels; one that fits the values when omitted.
    """

    title: str
    name: str
    unit: str
    cmap: str
    scale: Scale | None = None


def survey_panel(axes: Axes, data: RunFigureData) -> None:
    """The survey image with the measured sites in order, failed ones and the next one."""
    from matplotlib.transforms import offset_copy

    axis = Axis2D.of(data.survey)
    draw_survey(axes, data, axis)
    style.quiet(axes, "Survey image and sites", *axis.labels, box=True)
    _draw_visits(axes, data, axis)
    mark_next(axes, data, axis)
    mark_next_frame(axes, data)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(
            loc="upper center",
            bbox_to_anchor=(0.5, 0.0),
            bbox_transform=offset_copy(axes.transAxes, fig=axes.get_figure(root=True), y=-30, units="points"),
            ncols=4,
            fontsize=style.TICK_PT,
            frameon=False,
            handletextpad=0.3,
            columnspacing=1.2,
        )


def map_panel(axes: Axes, data: RunFigureData, values: FloatArray, look: MapLook) -> None:
    """A map over all sites (M,) on top of a faint survey image; what is not finite is left blank."""
    axis = Axis2D.of(data.survey)
    draw_survey(axes, data, axis, alpha=0.35)
    scale = look.scale or Scale.fitting(values, look.unit)
    shown = np.where(np.isfinite(values), values, np.nan) * scale.factor
    cells = draw_cells(axes, axis, data.site_positions, shown, look.cmap)
    style.quiet(axes, look.title, *axis.labels, box=True)
    colour_bar(axes, cells, scale.label(look.name))


def draw_survey(axes: Axes, data: RunFigureData, axis: Axis2D, alpha: float = 1.0) -> None:
    """The survey image in grey, its contrast cut at the outermost percents."""
    values = data.survey.values
    finite = values[np.isfinite(values)]
    low, high = np.percentile(finite, (1, 99)) if finite.size else (0.0, 1.0)
    axes.set_facecolor("white")
    axes.imshow(
        values,
        cmap="gray",
        vmin=float(low),
        vmax=float(high) if high > low else float(low) + 1.0,
        extent=axis.whole,
        origin="upper",
        interpolation="nearest",
        alpha=alpha,
    )
    axes.set_aspect("equal")


def draw_cells(axes: Axes, axis: Axis2D, positions: FloatArray, values: FloatArray, cmap: str) -> ScalarMappable:
    """One coloured cell per site: an image where the sites fill a grid, squares in data units elsewhere."""
    from matplotlib.colors import Normalize

    left, right, bottom, top = axis.whole
    norm = Normalize(*style.limits(values, margin=0.0))
    grid = Grid.of(positions)
    cells: ScalarMappable
    if grid is None:
        cells = _squares(axes, axis, positions, values)
    else:
        extent = axis.extent(grid.first, grid.last, grid.step)
        cells = axes.imshow(grid.image(values), extent=extent, origin="upper", interpolation="nearest")
    cells.set_cmap(cmap)
    cells.set_norm(norm)
    axes.set(xlim=(left, right), ylim=(bottom, top))
    return cells


def colour_bar(axes: Axes, cells: ScalarMappable, label: str) -> None:
    """A colour bar exactly as high as the panel, whatever its aspect."""
    figure = axes.get_figure(root=True)
    if figure is not None:
        style.tidy_colour_bar(figure.colorbar(cells, cax=axes.inset_axes((1.03, 0.0, 0.05, 1.0))), label)


def mark_next(axes: Axes, data: RunFigureData, axis: Axis2D) -> None:
    """A star at the next site, outlined so that it shows on any ground."""
    if data.next_position is None:
        return
    x, y = axis.xy(np.asarray([data.next_position], dtype=float))
    axes.scatter(x, y, s=150, marker="*", color=NEXT, edgecolors="black", linewidths=0.9, zorder=6, label="next site")


def mark_next_frame(axes: Axes, data: RunFigureData) -> None:
    """The outline of the frame to zoom into."""
    from matplotlib.patches import Rectangle

    frame = data.next_frame
    if frame is None or data.survey.pixel_nm is None:
        return
    (top, left), (height, width) = frame.corner_nm, frame.size_nm
    for thickness, colour, label in ((3.4, "black", None), (1.8, NEXT, "next frame")):
        outline = Rectangle(
            (left, top), width, height, fill=False, edgecolor=colour, linewidth=thickness, zorder=5, label=label
        )
        axes.add_patch(outline)


def _draw_visits(axes: Axes, data: RunFigureData, axis: Axis2D) -> None:
    from matplotlib.colors import Normalize

    visits = len(data.values)
    if not visits:
        return
    x, y = axis.xy(data.visited_positions)
    order = np.arange(1, visits + 1)
    seed, usable = order <= data.seeds, data.usable
    size = float(np.clip(3000 / visits, 12, 34))
    norm = Normalize(1, max(visits, 2))
    for chosen, marker, label in ((seed & usable, "s", "seed"), (~seed & usable, "o", "chosen")):
        if chosen.any():
            points = axes.scatter(
                x[chosen],
                y[chosen],
                c=order[chosen],
                cmap=style.ORDER_MAP,
                norm=norm,
                s=size,
                marker=marker,
                edgecolors="white",
                linewidths=0.6,
                zorder=4,
                label=label,
            )
    if (~usable).any():
        _crosses(axes, x[~usable], y[~usable], size)
    if usable.any():
        colour_bar(axes, points, "order of measurement")


def _crosses(axes: Axes, x: FloatArray, y: FloatArray, size: float) -> None:
    for width, colour, label in ((3.6, "white", None), (1.8, style.VERMILLION, "failed")):
        axes.scatter(x, y, s=1.6 * size, marker="x", color=colour, linewidths=width, zorder=5, label=label)


def _squares(axes: Axes, axis: Axis2D, positions: FloatArray, values: FloatArray) -> ScalarMappable:
    from matplotlib.collections import PolyCollection

    height, width = cell_size(positions)
    half_x, half_y = width * axis.pixel[1] / 2, height * axis.pixel[0] / 2
    corners = np.array([[-half_x, -half_y], [half_x, -half_y], [half_x, half_y], [-half_x, half_y]])
    drawn = np.isfinite(values)
    centres = np.stack(axis.xy(np.asarray(positions)[drawn]), axis=1)
    squares = PolyCollection(list(centres[:, None, :] + corners), edgecolors="white", linewidths=0.3)
    squares.set_array(values[drawn])
    axes.add_collection(squares)
    return squares
