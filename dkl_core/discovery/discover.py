"""A structural discovery from the image to the list of places."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from dkl_core.discovery.metrics import found_share, structural_similarity, two_level_threshold
from dkl_core.discovery.pathfinder import Travel, path_cost
from dkl_core.discovery.search import SearchStep, search
from dkl_core.discovery.settings import DiscoverySettings
from dkl_core.discovery.target import Progress, StructuralTarget
from dkl_core.errors import InputError
from dkl_core.patches import Patches, PatchSettings, make_patches
from dkl_core.survey import FloatArray, SurveyImage


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
        cls, survey: SurveyImage, settings: DiscoverySettings | None = None, progress: Progress | None = None
    ) -> Discovery:
        """Cut the image, learn its components and choose one.

        Args:
            survey: the image.
            settings: what to do.
            progress: called with the share of a long training that is done; what it raises ends it.

        Raises:
            InputError: a blank image, one smaller than the window, nothing but NaN, or more components than windows.
        """
        asked = settings or DiscoverySettings()
        window = asked.window_for(survey.shape)
        if min(survey.shape) < window:
            raise InputError(
                f"the image of {survey.shape[0]} x {survey.shape[1]} px is smaller than the window of {window} px; "
                "give a smaller window or a larger image"
            )
        cut = PatchSettings(window, asked.stride_for(survey.shape), levelling=asked.levelling)
        patches = make_patches(survey, cut)
        return cls(survey, asked, patches, StructuralTarget.learn(patches, asked, progress))

    def steps(self) -> Iterator[SearchStep]:
        """Search: one step for the first site and one for each batch; stop by leaving the iteration."""
        return search(self.patches.sites, lambda indices: self.target.at(self.patches, indices), self.settings.search)

    @property
    def notices(self) -> tuple[str, ...]:
        """What the user should know before believing the result."""
        choice, verdict = self.target.choice, self.target.decomposition.verdict
        found = []
        if not verdict.converged(choice.component):
            found.append(
                f"{self.settings.workflow} {verdict.text(choice.component)}; do not rely on it: try another number of "
                "components, another window or another workflow"
            )
        if not choice.clear:
            found.append(
                f"component {choice.component} stands out by {choice.scores[choice.component]:.2f} only (0 to 1): "
                "its map shows little that is rare and hangs together"
            )
        return tuple(found)


@dataclass(frozen=True)
class Judged:
    """A search against the whole map of its target.

    Attributes:
        found: share of the feature's sites that the reconstruction shows; the feature is where the map is high.
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
    threshold = two_level_threshold(whole)
    feature, seen = whole > threshold, reconstruction(step)
    found, wrong = found_share(seen, feature, threshold)
    one, other = (_filled(discovery.patches.sites.to_map(values)) for values in (whole, seen))
    return Judged(found, wrong, structural_similarity(one, other), float(feature.mean()))


def result_of(discovery: Discovery, step: SearchStep, *, ended: str = "budget") -> dict[str, Any]:
    """The facts of a discovery as one flat mapping of JSON-compatible values."""
    target, sites = discovery.target, discovery.patches.sites
    verdict = target.decomposition.verdict
    best = np.argsort(-step.values, kind="stable")[:10]
    mover = discovery.settings.search.path
    travel = Travel("tip") if mover is None else mover.travel
    visited = sites.positions[step.visited]
    return {
        "workflow": discovery.settings.workflow,
        "window_px": discovery.patches.window,
        "stride_px": sites.stride,
        "n_sites": len(sites),
        "component": target.choice.component,
        "chosen_by": "structure and sparsity" if target.choice.automatic else "user",
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
        "best_sites": [(int(row), int(col)) for row, col in visited[best]],
        "best_values": [float(value) for value in step.values[best]],
        "positions": [(int(row), int(col)) for row, col in visited],
        "values": [float(value) for value in step.values],
    }


def _filled(grid: FloatArray) -> FloatArray:
    return np.where(np.isfinite(grid), grid, 0.0) if not math.isfinite(float(grid.sum())) else grid
