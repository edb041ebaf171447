"""Figures of a structural discovery: its components, and its search step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dkl_core.discovery.discover import Discovery, reconstruction
from dkl_core.discovery.search import SearchStep
from dkl_core.patches import Sites
from dkl_core.report import style
from dkl_core.report.geometry import Axis2D
from dkl_core.report.maps import colour_bar, draw_cells
from dkl_core.survey import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

_STEP_COLUMNS = 5


def component_figure(discovery: Discovery) -> Figure:
    """The maps of all components above their spectra; the one looked for is marked."""
    target, axis = discovery.target, Axis2D.of(discovery.survey)
    count = target.weights.shape[1]
    figure = style.new_figure((2.9 * (count + 1), 6.4))
    panels = figure.subplots(2, count + 1, squeeze=False)
    _image(panels[0, 0], discovery, axis)
    style.quiet(panels[0, 0], "Image", *axis.labels, box=True)
    panels[1, 0].axis("off")
    panels[1, 0].text(0.0, 1.0, _words(discovery), va="top", fontsize=style.NOTE_PT, wrap=True)
    for number in range(count):
        chosen = number == target.choice.component
        colour = style.VERMILLION if chosen else style.BLACK
        upper, lower = panels[:, number + 1]
        cells = _cells(upper, axis, target.sample, target.weights[:, number], style.MEAN_MAP)
        looked_for = ", looked for where it is " + ("low" if target.choice.sign < 0 else "high")
        remark = f"score {target.choice.scores[number]:.2f}" + (looked_for if chosen else "")
        style.quiet(upper, f"Component {number}", *axis.labels, box=True, remark=remark)
        upper.title.set_color(colour)
        colour_bar(upper, cells, "weight")
        lower.imshow(target.picture(number), cmap="magma")
        style.quiet(lower, "What it looks like", "", "", box=True)
        lower.set(xticks=[], yticks=[])
    return figure


def search_figure(discovery: Discovery, step: SearchStep, whole: FloatArray | None = None) -> Figure:
    """The way through the image, the reconstruction and its uncertainty; the whole map where it is known (M,)."""
    axis, sites = Axis2D.of(discovery.survey), discovery.patches.sites
    figure = style.new_figure((12.4, 3.9) if whole is None else (16.0, 3.9))
    panels = figure.subplots(1, 3 if whole is None else 4)
    _image(panels[0], discovery, axis)
    x, y = axis.xy(sites.positions[step.visited].astype(float))
    panels[0].plot(x, y, color="white", linewidth=0.5, alpha=0.6)
    dots = panels[0].scatter(x, y, c=np.arange(1, len(x) + 1), s=9, cmap=style.ORDER_MAP, linewidths=0)
    style.quiet(panels[0], "Way through the image", *axis.labels, box=True)
    colour_bar(panels[0], dots, "order of visits")
    shown = [("Reconstruction", reconstruction(step), style.MEAN_MAP), ("Uncertainty", step.std, style.STD_MAP)]
    if whole is not None:
        shown.append(("Target everywhere", whole, style.MEAN_MAP))
    for axes, (title, values, colours) in zip(panels[1:], shown, strict=True):
        cells = _cells(axes, axis, sites, values, colours)
        style.quiet(axes, title, *axis.labels, box=True)
        colour_bar(axes, cells, "standard deviation" if title == "Uncertainty" else "target")
    return figure


def overview_figure(found: Sequence[tuple[str, Discovery, SearchStep]]) -> Figure:
    """Several images below each other: the image with the visited sites, the component looked for, its reconstruction.

    Args:
        found: name, discovery and last step of each.
    """
    figure = style.new_figure((10.2, 3.3 * len(found)))
    for row, (name, discovery, step) in zip(figure.subplots(len(found), 3, squeeze=False), found, strict=True):
        axis, sites, target = Axis2D.of(discovery.survey), discovery.patches.sites, discovery.target
        component = target.choice.component
        _image(row[0], discovery, axis)
        row[0].scatter(*axis.xy(sites.positions[step.visited].astype(float)), s=5, color=style.ORANGE, linewidths=0)
        style.quiet(row[0], name, *axis.labels, box=True, remark=f"{len(step.visited)} sites visited")
        weights = target.choice.sign * target.weights[:, component]
        drawn = _cells(row[1], axis, target.sample, weights, style.MEAN_MAP)
        score = f"score {target.choice.scores[component]:.2f}"
        style.quiet(
            row[1], f"{discovery.settings.workflow}, component {component}", *axis.labels, box=True, remark=score
        )
        colour_bar(row[1], drawn, "weight")
        drawn = _cells(row[2], axis, sites, reconstruction(step), style.MEAN_MAP)
        style.quiet(row[2], "Reconstruction", *axis.labels, box=True, remark="")
        colour_bar(row[2], drawn, "target")
    return figure


def step_figure(discovery: Discovery, steps: Sequence[SearchStep]) -> Figure:
    """The reconstruction above the acquisition at a few steps from the second to the last, with the sites so far."""
    axis, sites = Axis2D.of(discovery.survey), discovery.patches.sites
    last = len(steps) - 1
    chosen = np.unique(np.rint(np.geomspace(1, last, _STEP_COLUMNS)).astype(int)) if last else [0]
    figure = style.new_figure((3.1 * len(chosen), 5.8))
    panels = figure.subplots(2, len(chosen), squeeze=False)
    for (upper, lower), number in zip(panels.T, chosen, strict=True):
        step = steps[number]
        maps = ((upper, reconstruction(step), style.MEAN_MAP), (lower, step.acquisition, style.ACQUISITION_MAP))
        for axes, values, colours in maps:
            _cells(axes, axis, sites, values, colours)
            x, y = axis.xy(sites.positions[step.visited].astype(float))
            axes.scatter(x, y, s=3, color="white", linewidths=0)
        style.quiet(upper, f"Step {number}", *axis.labels, box=True, remark=f"{len(step.visited)} sites")
        style.quiet(lower, "Acquisition before it", *axis.labels, box=True)
    return figure


def _cells(axes: Axes, axis: Axis2D, sites: Sites, values: FloatArray, colours: str) -> ScalarMappable:
    axes.set_facecolor(style.LIGHT_GREY)
    cells = draw_cells(axes, axis, sites.positions.astype(float), values, colours)
    axes.set_aspect("equal")
    return cells


def _image(axes: Axes, discovery: Discovery, axis: Axis2D) -> None:
    values = discovery.survey.values
    low, high = np.percentile(values[np.isfinite(values)], (1, 99))
    axes.imshow(values, cmap="gray", vmin=low, vmax=high, extent=axis.whole, origin="upper", interpolation="nearest")


def _words(discovery: Discovery) -> str:
    choice, verdict = discovery.target.choice, discovery.target.decomposition.verdict
    how = "structure and sparsity" if choice.automatic else "the user"
    text = f"{discovery.settings.workflow}, window {discovery.patches.window} px.\n"
    text += f"Component {choice.component}, chosen by {how}.\n{verdict.text(choice.component)}."
    return "\n".join(_wrapped(text, 34))


def _wrapped(text: str, width: int) -> list[str]:
    from textwrap import wrap

    return [line for part in text.split("\n") for line in wrap(part, width)]
