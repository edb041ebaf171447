"""A structural discovery from the image to the list of places."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from dkl_core.discovery.atompatches import AtomPatches, atom_patches, places_of
from dkl_core.discovery.metrics import edge_level, found_share, scattered_similarity, structural_similarity
from dkl_core.discovery.pathfinder import Travel, path_cost
from dkl_core.discovery.search import SearchStep, search
from dkl_core.discovery.settings import DiscoverySettings
from dkl_core.discovery.target import Progress, StructuralTarget
from dkl_core.errors import InputError
from dkl_core.patches import Patches, PatchSettings, make_patches
from dkl_core.survey import FloatArray, SurveyImage, levelled


@dataclass(frozen=True, eq=False)
class Discovery:
    """A discovery that has learned what to look for.

    Attributes:
        survey: the image.
        settings: as asked for.
        patches: the windows.
        target: what is looked for.
    """

    survey: SurveyImage
    settings: DiscoverySettings
    patches: Patches
    target: StructuralTarget

    @classmethod
    def begin(
        cls,
        survey: SurveyImage,
        settings: DiscoverySettings | None = None,
        progress: Progress | None = None,
        finding: Progress | None = None,
    ) -> Discovery:
        """Cut the image, learn its components and choose one.

        Args:
            survey: the image.
            settings: what to do.
            progress: called with the share of a long training that is done; what it raises ends it.
            finding: the same for finding atoms.

        Raises:
            InputError: a blank image, one smaller than the window, nothing but NaN, no atoms where they are the sites,
                or more components than windows.
        """
        asked = settings or DiscoverySettings()
        patches = patches_for(survey, asked, finding)
        return cls(survey, asked, patches, StructuralTarget.learn(patches, asked, progress))

    def steps(self) -> Iterator[SearchStep]:
        """Search: one step for the first site and one for each batch; stop by leaving the iteration."""
        target, model = self.target, None
        if self.settings.model == "structure":
            from dkl_core.discovery.structural import StructureModel

            model = StructureModel(self.patches, self.settings.seed)
        return search(
            self.patches.sites,
            lambda indices: target.at(self.patches, indices),
            self.settings.search,
            usual=0.0,
            model=model,
        )

    @property
    def places(self) -> FloatArray:
        """Where the sites are, in px (M, 2), as exactly as is known."""
        return places_of(self.patches.sites)

    @property
    def notices(self) -> tuple[str, ...]:
        """What the user should know before believing the result."""
        choice, verdict = self.target.choice, self.target.decomposition.verdict
        found: list[str] = []
        if isinstance(self.patches, AtomPatches):
            found += self.patches.found.notices
        if not verdict.converged(choice.component):
            found.append(
                f"{self.settings.workflow} {verdict.text(choice.component)}; do not rely on it: try another number of "
                "components, another window or another workflow"
            )
        if self.target.margin <= 0:
            found.append(
                "more than half of this image is unusual by the saved target, which says nothing here: pixel size, "
                "contrast or levelling differ from those of the image it was learned in; learn a target of this image"
            )
        if not choice.clear:
            found.append(
                f"component {choice.component} stands out by {choice.scores[choice.component]:.2f} only (0 to 1): "
                f"its map shows little that is rare{'' if self.settings.on_atoms else ' and hangs together'}"
            )
        return tuple(found)


def patches_for(survey: SurveyImage, settings: DiscoverySettings, finding: Progress | None = None) -> Patches:
    """The windows of an image: on a grid, or round the atoms that are found in it.

    Args:
        survey: the image.
        settings: workflow, window, stride, levelling, and how atoms are found.
        finding: called with the share of finding atoms that is done; what it raises ends it.

    Raises:
        InputError: a blank image, one smaller than the window, nothing but NaN, or no atoms.
    """
    if settings.on_atoms:
        return _round_atoms(survey, settings, finding)
    window = settings.window_for(survey.shape)
    if min(survey.shape) < window:
        raise InputError(
            f"the image of {survey.shape[0]} x {survey.shape[1]} px is smaller than the window of {window} px; "
            "give a smaller window or a larger image"
        )
    cut = PatchSettings(window, settings.stride_for(survey.shape), levelling=settings.levelling)
    return make_patches(survey, cut)


def _round_atoms(survey: SurveyImage, settings: DiscoverySettings, finding: Progress | None) -> AtomPatches:
    from pathlib import Path

    from dkl_core.discovery.atoms import find_atoms

    weights = None if settings.weights is None else Path(settings.weights)
    image = levelled(survey, settings.levelling).values
    found = find_atoms(image, method=settings.finder, weights=weights, progress=finding)
    return atom_patches(survey, found, settings.window, settings.levelling)


@dataclass(frozen=True)
class Judged:
    """A search against the whole map of its target.

    Attributes:
        found: share of the feature's sites that the reconstruction shows; the feature ends half way from what is usual
            to what is typical inside it.
        wrong: share of what the reconstruction shows that is not the feature.
        similarity: SSIM of reconstruction and map.
        feature: share of all sites that belong to the feature.
    """

    found: float
    wrong: float
    similarity: float
    feature: float


def reconstruction(step: SearchStep) -> FloatArray:
    """The target of all sites as the search sees it (M,); it is never negative."""
    return np.maximum(step.mean, 0.0)


def judged(discovery: Discovery, step: SearchStep, whole: FloatArray) -> Judged:
    """Compare a search with the target of all sites (M,), which it never saw."""
    threshold = edge_level(whole, max(discovery.target.margin, 0.0))
    feature, seen = whole > threshold, reconstruction(step)
    found, wrong = found_share(seen, feature, threshold)
    if isinstance(discovery.patches, AtomPatches):
        similarity = scattered_similarity(whole, seen, discovery.places)
    else:
        one, other = (_filled(discovery.patches.sites.to_map(values)) for values in (whole, seen))
        similarity = structural_similarity(one, other)
    return Judged(found, wrong, similarity, float(feature.mean()))


def result_of(discovery: Discovery, step: SearchStep, *, ended: str = "budget") -> dict[str, Any]:
    """The facts of a discovery as one flat mapping of JSON-compatible values."""
    target, sites = discovery.target, discovery.patches.sites
    verdict = target.decomposition.verdict
    best = np.argsort(-step.values, kind="stable")[:10]
    mover = discovery.settings.search.path
    travel = Travel("tip") if mover is None else mover.travel
    visited = discovery.places[step.visited]
    return {
        "workflow": discovery.settings.workflow,
        "window_px": discovery.patches.window,
        "stride_px": sites.stride,
        "n_sites": len(sites),
        "model": discovery.settings.model,
        "component": target.choice.component,
        "chosen_by": target.choice.by if target.choice.automatic else "user",
        "scores": list(target.choice.scores),
        "stands_out": target.choice.clear,
        "converged": verdict.converged(target.choice.component),
        "verdict": verdict.text(target.choice.component),
        "notices": list(discovery.notices),
        "visited": len(step.visited),
        "ended": ended,
        "seconds": round(step.seconds, 2),
        "correlation_length_px": step.hyper.length * sites.stride,
        "mean_uncertainty": float(step.std.mean()),
        "path_px": path_cost(visited, Travel("tip")),
        "travel_cost_px": path_cost(visited, travel),
        "best_sites": _pairs(visited[best], discovery),
        "best_values": [float(value) for value in step.values[best]],
        "positions": _pairs(visited, discovery),
        "values": [float(value) for value in step.values],
        **_atom_facts(discovery),
    }


def _pairs(places: FloatArray, discovery: Discovery) -> list[tuple[float, float]]:
    if isinstance(discovery.patches, AtomPatches):
        return [(round(float(row), 3), round(float(col), 3)) for row, col in places]
    return [(int(row), int(col)) for row, col in places]


def _atom_facts(discovery: Discovery) -> dict[str, Any]:
    if not isinstance(discovery.patches, AtomPatches):
        return {}
    found = discovery.patches.found
    return {
        "atoms": len(found),
        "atoms_left_out": discovery.patches.left_out,
        "found_by": found.method,
        "atom_width_px": float(found.width_px),
        "atom_spacing_px": float(found.spacing_px),
        "finder_notices": list(found.notices),
        "atom_positions": _pairs(found.positions, discovery),
        "atom_intensities": [float(value) for value in found.intensities],
    }


def _filled(grid: FloatArray) -> FloatArray:
    return np.where(np.isfinite(grid), grid, 0.0) if not math.isfinite(float(grid.sum())) else grid
