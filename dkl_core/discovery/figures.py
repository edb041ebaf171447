"""Figures of a structural discovery: its components, and its search step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dkl_core.discovery.atompatches import AtomPatches, places_of
from dkl_core.discovery.components import usual_spread
from dkl_core.discovery.decompose import Decomposition
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
_DOT_SPACINGS, _RARE_SPACINGS = 0.5, 2.0
_RARE_SPREADS, _RARE_SHARE, _RARE_EDGE = 5.0, 0.25, 0.025
_FAINT = 0.35
_MANIFOLD_SIDE = 5
_MANIFOLD_TAIL = 0.002


def component_figure(discovery: Discovery) -> Figure:
    """The maps of all components above what they look like; the one looked for is marked.

    Of an invariant autoencoder also the latent numbers of the windows, above the manifold of what they decode to.
    """
    target, axis = discovery.target, Axis2D.of(discovery.survey)
    count = target.weights.shape[1]
    invariant, on_atoms = not isinstance(target.decomposition, Decomposition), discovery.settings.on_atoms
    figure = style.new_figure((2.9 * (count + 1 + invariant), 6.4))
    panels = figure.subplots(2, count + 1 + invariant, squeeze=False)
    _image(panels[0, 0], discovery, axis)
    style.quiet(panels[0, 0], "Image", *axis.labels, box=True)
    panels[1, 0].axis("off")
    panels[1, 0].text(0.0, 1.0, _words(discovery), va="top", fontsize=style.NOTE_PT, wrap=True)
    for number in range(count):
        chosen = number == target.choice.component
        colour = style.VERMILLION if chosen else style.BLACK
        upper, lower = panels[:, number + 1]
        turned = target.choice.sign if chosen and on_atoms else 1.0
        cells = _cells(upper, discovery, axis, target.sample, turned * target.weights[:, number], style.MEAN_MAP)
        looked_for = ", looked for where it is " + ("low" if turned * target.choice.sign < 0 else "high")
        remark = f"score {target.choice.scores[number]:.2f}" + (looked_for if chosen else "")
        style.quiet(upper, f"Component {number}", *axis.labels, box=True, remark=remark)
        upper.title.set_color(colour)
        colour_bar(upper, cells, "weight")
        lower.imshow(_look(discovery, number, turned), cmap="magma")
        style.quiet(lower, "What it looks like", "", "", box=True)
        lower.set(xticks=[], yticks=[])
    if invariant:
        _manifold(panels[0, -1], panels[1, -1], discovery)
    return figure


def search_figure(discovery: Discovery, step: SearchStep, whole: FloatArray | None = None) -> Figure:
    """The way through the image, the reconstruction and its uncertainty; the whole map where it is known (M,)."""
    axis, sites = Axis2D.of(discovery.survey), discovery.patches.sites
    places = discovery.places
    figure = style.new_figure((12.4, 3.9) if whole is None else (16.0, 3.9))
    panels = figure.subplots(1, 3 if whole is None else 4)
    _image(panels[0], discovery, axis)
    x, y = axis.xy(places[step.visited])
    panels[0].plot(x, y, color="white", linewidth=0.5, alpha=0.6)
    dots = panels[0].scatter(x, y, c=np.arange(1, len(x) + 1), s=9, cmap=style.ORDER_MAP, linewidths=0)
    style.quiet(panels[0], "Way through the image", *axis.labels, box=True)
    colour_bar(panels[0], dots, "order of visits")
    shown = [("Reconstruction", reconstruction(step), style.MEAN_MAP), ("Uncertainty", step.std, style.STD_MAP)]
    if whole is not None:
        shown.append(("Target everywhere", whole, style.MEAN_MAP))
    for axes, (title, values, colours) in zip(panels[1:], shown, strict=True):
        cells = _cells(axes, discovery, axis, sites, values, colours)
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
        row[0].scatter(*axis.xy(discovery.places[step.visited]), s=5, color=style.ORANGE, linewidths=0)
        style.quiet(row[0], name, *axis.labels, box=True, remark=f"{len(step.visited)} sites visited")
        weights = target.choice.sign * target.weights[:, component]
        drawn = _cells(row[1], discovery, axis, target.sample, weights, style.MEAN_MAP)
        score = f"score {target.choice.scores[component]:.2f}"
        style.quiet(
            row[1], f"{discovery.settings.workflow}, component {component}", *axis.labels, box=True, remark=score
        )
        colour_bar(row[1], drawn, "weight")
        drawn = _cells(row[2], discovery, axis, sites, reconstruction(step), style.MEAN_MAP)
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
            _cells(axes, discovery, axis, sites, values, colours)
            x, y = axis.xy(discovery.places[step.visited])
            if discovery.settings.on_atoms:
                axes.scatter(x, y, s=12, facecolors="none", edgecolors=style.BLACK, linewidths=0.7)
            else:
                axes.scatter(x, y, s=3, color="white", linewidths=0)
        style.quiet(upper, f"Step {number}", *axis.labels, box=True, remark=f"{len(step.visited)} sites")
        style.quiet(lower, "Acquisition before it", *axis.labels, box=True)
    return figure


def _cells(
    axes: Axes, discovery: Discovery, axis: Axis2D, sites: Sites, values: FloatArray, colours: str
) -> ScalarMappable:
    """One cell for each site of a grid; a dot for each atom, over the image."""
    if discovery.settings.on_atoms:
        return _dots(axes, discovery, axis, sites, values, colours)
    axes.set_facecolor(style.LIGHT_GREY)
    cells = draw_cells(axes, axis, sites.positions.astype(float), values, colours)
    axes.set_aspect("equal")
    return cells


def _dots(
    axes: Axes, discovery: Discovery, axis: Axis2D, sites: Sites, values: FloatArray, colours: str
) -> ScalarMappable:
    from matplotlib.collections import EllipseCollection
    from matplotlib.colors import Normalize

    _image(axes, discovery, axis, alpha=_FAINT)
    # What is far from usual is drawn large and last: one atom of a thousand is to be seen.
    middle, spread = usual_spread(values)
    away = np.abs(values - middle)
    order = np.argsort(away, kind="stable")
    rare = away[order] > max(_RARE_SPREADS * spread, _RARE_SHARE * float(away.max()))
    large = max(_RARE_SPACINGS * sites.stride, _RARE_EDGE * max(sites.shape))
    size = np.where(rare, large, _DOT_SPACINGS * sites.stride)
    dots = EllipseCollection(
        size * axis.pixel[1],
        size * axis.pixel[0],
        np.zeros(len(order)),
        units="xy",
        offsets=np.stack(axis.xy(places_of(sites)[order]), axis=1),
        offset_transform=axes.transData,
        linewidths=0,
    )
    dots.set_array(values[order])
    dots.set_cmap(colours)
    dots.set_norm(Normalize(*style.limits(values, margin=0.0)))
    axes.add_collection(dots)
    left, right, bottom, top = axis.whole
    axes.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
    return dots


def _look(discovery: Discovery, component: int, sign: float) -> FloatArray:
    """What a component looks like: of latent numbers, where the windows of the sample are that have most of it."""
    target = discovery.target
    decomposition = target.decomposition
    if isinstance(decomposition, Decomposition):
        return np.asarray(sign * target.picture(component), dtype=np.float64)
    most = np.argsort(-sign * target.weights[:, component], kind="stable")[: max(1, len(target.weights) // 200)]
    (look,) = decomposition.look(np.median(target.weights[most], axis=0)[None])
    return np.asarray(look, dtype=np.float64)


def _manifold(upper: Axes, lower: Axes, discovery: Discovery) -> None:
    """The latent numbers of the sample, and what latent numbers in the same rectangle decode to."""
    target = discovery.target
    if isinstance(target.decomposition, Decomposition):
        return
    first, second = target.weights.T
    chosen = target.choice.sign * target.weights[:, target.choice.component] > target.usual
    upper.scatter(first[~chosen], second[~chosen], s=4, color=style.GREY, linewidths=0, alpha=0.5)
    upper.scatter(first[chosen], second[chosen], s=9, color=style.VERMILLION, linewidths=0)
    style.quiet(upper, "Latent numbers", "component 0", "component 1", box=True, remark="red: looked for")
    upper.set_box_aspect(1)
    low, high = np.quantile(target.weights, (_MANIFOLD_TAIL, 1 - _MANIFOLD_TAIL), axis=0)
    across, up = np.linspace(low, high, _MANIFOLD_SIDE).T
    grid = np.stack(np.meshgrid(across, up[::-1]), axis=-1)
    pictures = target.decomposition.look(grid.reshape(-1, 2))
    side = pictures.shape[-1]
    tiles = pictures.reshape(_MANIFOLD_SIDE, _MANIFOLD_SIDE, side, side).transpose(0, 2, 1, 3)
    extent = (float(low[0]), float(high[0]), float(low[1]), float(high[1]))
    whole = _MANIFOLD_SIDE * side
    lower.imshow(tiles.reshape(whole, whole), cmap="magma", extent=extent, aspect="auto")
    style.quiet(lower, "Latent manifold", "component 0", "component 1", box=True)
    lower.set_box_aspect(1)


def _image(axes: Axes, discovery: Discovery, axis: Axis2D, alpha: float = 1.0) -> None:
    values = discovery.survey.values
    low, high = np.percentile(values[np.isfinite(values)], (1, 99))
    axes.imshow(values, "gray", vmin=low, vmax=high, extent=axis.whole, alpha=alpha, interpolation="nearest")


def _words(discovery: Discovery) -> str:
    choice, verdict = discovery.target.choice, discovery.target.decomposition.verdict
    how = choice.by if choice.automatic else "the user"
    text = f"{discovery.settings.workflow}, window {discovery.patches.window} px.\n"
    if isinstance(discovery.patches, AtomPatches):
        found = discovery.patches.found
        text += f"{len(found)} atoms ({found.method}), {discovery.patches.left_out} too near the border.\n"
    text += f"Component {choice.component}, chosen by {how}.\n{verdict.text(choice.component)}."
    return "\n".join(_wrapped(text, 34))


def _wrapped(text: str, width: int) -> list[str]:
    from textwrap import wrap

    return [line for part in text.split("\n") for line in wrap(part, width)]
