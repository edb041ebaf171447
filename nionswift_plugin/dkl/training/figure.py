"""The figure after a training: what was visited, the truth, what the model made of it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from dkl_core.cli.figures import figure_data
from dkl_core.experiment import Experiment
from dkl_core.report import RunLabels, style
from dkl_core.report.maps import MapLook, map_panel, survey_panel
from dkl_core.report.units import Scale
from nionswift_plugin.dkl.display.words import Property
from nionswift_plugin.dkl.training.missed import Missed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INCHES = (13.66, 5.3)
_WIDTH = 125


def missed_figure(experiment: Experiment, missed: Missed, shown: Property) -> Figure:
    """Survey image with the visited sites, the true map, the predicted map; found and missed are circled.

    Args:
        experiment: the run, its model fitted.
        missed: what it has missed.
        shown: the property.
    """
    figure = style.new_figure(INCHES)
    survey, truth, mean = figure.subplots(1, 3)
    data = figure_data(experiment, RunLabels(shown.name, shown.unit))
    scale = Scale.fitting(missed.truth, shown.unit)
    survey_panel(survey, data)
    map_panel(truth, data, missed.truth, MapLook("The truth", shown.name, shown.unit, style.MEAN_MAP, scale))
    if data.mean is None:
        mean.set_axis_off()
    else:
        map_panel(mean, data, data.mean, MapLook("Your map", shown.name, shown.unit, style.MEAN_MAP, scale))
    _circle(survey, missed)
    _circle(truth, missed, legend=True)
    figure.suptitle(
        textwrap.fill(missed.sentence, _WIDTH), x=0.01, ha="left", fontsize=style.HEADING_PT, fontweight="bold"
    )
    return figure


def _circle(axes: Axes, missed: Missed, *, legend: bool = False) -> None:
    for places, colour, label in (
        (missed.found_nm, style.VERMILLION, "found"),
        (missed.missed_nm, style.SKY, "missed"),
    ):
        at = np.asarray(places).reshape(-1, 2)
        axes.scatter(
            at[:, 1], at[:, 0], s=120, facecolors="none", edgecolors=colour, linewidths=1.6,
            label=f"{label} ({len(at)})" if legend else None,
        )  # fmt: skip
    if legend:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2, fontsize=style.TICK_PT, frameon=False)
