"""Figures that compare: methods against one another, predictions against the truth of held-out sites."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dkl_core.errors import InputError
from dkl_core.report import style
from dkl_core.report.curves import calibration_panel, parity_panel
from dkl_core.report.data import EvaluationFigureData, FloatArray, MethodRuns, RunLabels
from dkl_core.report.units import Scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDE_INCHES = (11.0, 4.8)


def baseline_figure(
    methods: Sequence[MethodRuns],
    labels: RunLabels | None = None,
    *,
    seeds: int = 0,
    best_possible: float | None = None,
) -> Figure:
    """Learning curves of several methods: mean over the repeats, and their whole range as a band.

    Args:
        methods: what each method found; "dkl", "random", "raster", "position" and "pca" keep their colours.
        labels: name and unit of the target, title.
        seeds: how many of the first measurements were seeds, shaded.
        best_possible: the best value of all sites, drawn as a line, None when unknown.

    Returns:
        A figure with the best value so far, and the hit rate where a method has one.

    Raises:
        InputError: no method.
    """
    if not methods:
        raise InputError("there is no method to compare; give at least one MethodRuns")
    labels = labels or RunLabels()
    rated = [method for method in methods if method.hit_rate is not None]
    figure = style.new_figure(WIDE_INCHES)
    panels = figure.subplots(1, 2 if rated else 1, squeeze=False)[0]
    scale = Scale.fitting(np.concatenate([np.ravel(method.best) for method in methods]), labels.unit)
    style.quiet(panels[0], "Best value so far", "measurement", scale.label(labels.target))
    _curves(panels[0], methods, [method.best * scale.factor for method in methods], seeds)
    if best_possible is not None:
        panels[0].axhline(best_possible * scale.factor, color=style.BLACK, linewidth=0.9, linestyle=(0, (1, 2)))
        _name_line(panels[0], best_possible * scale.factor, "best of all sites")
    if rated:
        style.quiet(panels[1], "Hit rate", "measurement", "hits so far (%)")
        _curves(panels[1], rated, [100 * method.hit_rate for method in rated if method.hit_rate is not None], seeds)
        panels[1].set_ylim(0, 100)
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=7, frameon=False, fontsize=9
    )
    _title(figure, labels)
    return figure


def evaluation_figure(data: EvaluationFigureData) -> Figure:
    """Held-out sites: measured against predicted, and nominal against observed coverage.

    Args:
        data: the held-out sites.

    Returns:
        A figure; its heading names R², the root mean square error and the share inside 90 %.
    """
    figure = style.new_figure((10.0, 5.2))
    left, right = figure.subplots(1, 2)
    values = (data.measured, data.predicted_mean, data.predicted_std)
    parity_panel(left, values, (data.labels.target, data.labels.unit), "Held-out sites")
    calibration_panel(right, *values)
    _title(figure, data.labels)
    figure.supxlabel(scores(data), x=0.01, ha="left", fontsize=style.LABEL_PT)
    return figure


def scores(data: EvaluationFigureData) -> str:
    """R², root mean square error and the spread of the standardised errors in one line."""
    errors = data.measured - data.predicted_mean
    rmse = float(np.sqrt(np.mean(errors**2)))
    spread = float(np.var(data.measured))
    scale = Scale.fitting(rmse, data.labels.unit)
    standardised = float(np.sqrt(np.mean((errors / data.predicted_std) ** 2)))
    parts = [
        f"R² = {1 - rmse**2 / spread:.2f}" if spread > 0 else "",
        f"RMS error = {rmse * scale.factor:.3g} {scale.unit}".rstrip(),
        f"RMS error / predicted standard deviation = {standardised:.2f} (ideal 1)",
        f"{len(errors):,} sites",
    ]
    return "  ·  ".join(part for part in parts if part)


def _curves(axes: Axes, methods: Sequence[MethodRuns], curves: Sequence[FloatArray], seeds: int) -> None:
    if seeds:
        axes.axvspan(0.5, seeds + 0.5, color=style.LIGHT_GREY, linewidth=0, zorder=0, label="seeds")
    others = iter(style.OTHER_STYLES * len(methods))
    for method, curve in zip(methods, curves, strict=True):
        colour, line = style.METHOD_STYLES.get(method.name) or next(others)
        order = np.arange(1, curve.shape[1] + 1)
        low, mean, high = _range(curve)
        axes.fill_between(order, low, high, color=colour, alpha=0.12, linewidth=0)
        axes.plot(order, mean, color=colour, linestyle=line, linewidth=1.8, label=f"{method.name} ({len(curve)}×)")
    axes.set_xlim(0.5, max(curve.shape[1] for curve in curves) + 0.5)


def _range(curve: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Smallest, mean and largest of the repeats; NaN where one of them has nothing yet."""
    return curve.min(axis=0), curve.mean(axis=0), curve.max(axis=0)


def _name_line(axes: Axes, height: float, text: str) -> None:
    axes.annotate(
        text,
        (1.0, height),
        xycoords=axes.get_yaxis_transform(),
        xytext=(-2, 3),
        textcoords="offset points",
        ha="right",
        fontsize=style.TICK_PT,
    )


def _title(figure: Figure, labels: RunLabels) -> None:
    if labels.title:
        figure.suptitle(labels.title, x=0.01, ha="left", fontsize=style.HEADING_PT, fontweight="bold")
