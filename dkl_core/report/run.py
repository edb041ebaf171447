"""The figure of a run: what was measured where, what the surrogate makes of it, and whether to believe it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from dkl_core.report import style
from dkl_core.report.curves import learning_panel, parity_panel
from dkl_core.report.data import FloatArray, RunFigureData
from dkl_core.report.geometry import Axis2D
from dkl_core.report.layout import Page
from dkl_core.report.maps import MapLook, map_panel, mark_next, mark_next_frame, survey_panel
from dkl_core.report.units import Scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINE_CHARACTERS = 200


def run_figure(data: RunFigureData) -> Figure:
    """One page that shows a run, 1366 × 768 pixels at 100 dpi.

    Left: the survey image with the measured sites coloured by their order, and the learning curve. Right: maps of
    predicted mean, standard deviation and acquisition function, as far as given, and what was measured against what was
    predicted before each measurement. Foot: the run in a line of text.

    Args:
        data: the run.

    Returns:
        A figure that belongs to no window; see `save_figure`.
    """
    figure = style.new_figure()
    maps = _maps(data)
    page = Page.of(figure, Axis2D.of(data.survey), len(maps))
    survey_panel(page.survey, data)
    learning_panel(page.learning, data)
    _draw_parity(page.parity, data)
    for axes, (values, look) in zip(page.maps, maps, strict=True):
        _draw_map(axes, data, values, look)
    _write_text(figure, data)
    return figure


def summary(data: RunFigureData) -> str:
    """The run in one line: goal, acquisition function, measurements, failed ones, share of structure."""
    failed = len(data.values) - int(np.sum(data.usable))
    seeds = min(data.seeds, len(data.values))
    measured, sites = _counted(len(data.values), "measurement"), _counted(len(data.site_positions), "site")
    share = data.structure_share
    parts = [
        f"Goal: {data.labels.goal or _goal(data)}",
        f"acquisition: {data.labels.acquisition}" if data.labels.acquisition else "",
        f"{measured} of {sites} ({_counted(seeds, 'seed')})",
        f"{failed} failed",
        "" if share is None else f"structure carries {100 * share:.0f} % of the explained variance",
    ]
    return "  ·  ".join(part for part in parts if part)


def _maps(data: RunFigureData) -> list[tuple[FloatArray, MapLook]]:
    labels = data.labels
    shared = Scale.fitting(np.where(data.usable, data.values, np.nan), labels.unit)
    ranked = shared if labels.acquisition_unit == labels.unit else None
    looks = (
        (data.mean, MapLook("Predicted mean", labels.target, labels.unit, style.MEAN_MAP, shared)),
        (data.std, MapLook("Standard deviation", "standard deviation", labels.unit, style.STD_MAP, shared)),
        (
            data.acquisition,
            MapLook("Acquisition function", "acquisition", labels.acquisition_unit, style.ACQUISITION_MAP, ranked),
        ),
    )
    return [(values, look) for values, look in looks if values is not None]


def _draw_map(axes: Axes, data: RunFigureData, values: FloatArray, look: MapLook) -> None:
    map_panel(axes, data, values, look)
    if values is data.acquisition:
        mark_next(axes, data, Axis2D.of(data.survey))
    if values is data.mean:
        mark_next_frame(axes, data)


def _draw_parity(axes: Axes, data: RunFigureData) -> None:
    chosen, labels = data.predicted, data.labels
    values = (data.values[chosen], data.predicted_mean[chosen], data.predicted_std[chosen])
    parity_panel(axes, values, (labels.target, labels.unit), "Measured against predicted")


def _write_text(figure: Figure, data: RunFigureData) -> None:
    if data.labels.title:
        figure.suptitle(data.labels.title, x=0.01, ha="left", fontsize=style.HEADING_PT, fontweight="bold")
    text = textwrap.fill(summary(data), LINE_CHARACTERS)
    figure.supxlabel(text, x=0.01, ha="left", fontsize=style.LABEL_PT, color=style.BLACK)


def _goal(data: RunFigureData) -> str:
    target, unit = data.labels.target, data.labels.unit
    if data.direction != "reach" or data.goal_value is None:
        return f"{data.direction} {target}"
    scale = Scale.fitting(data.goal_value, unit)
    return f"reach {target} = {data.goal_value * scale.factor:.4g} {scale.unit}".rstrip()


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
