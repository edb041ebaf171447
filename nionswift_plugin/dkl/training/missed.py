"""What a run on a simulated sample has found, and what it has missed."""

from __future__ import annotations

import gettext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dkl_core.errors import InputError
from dkl_core.experiment import Experiment
from dkl_core.patches import Sites
from dkl_core.replay import top_sites
from dkl_core.survey import FloatArray
from nionswift_plugin.dkl.rings import rings_of
from nionswift_plugin.dkl.training.simulation import sites_nm, truth_at

if TYPE_CHECKING:
    from dkl_core.experiment.structure import Structure
    from dkl_core.stem.microscope import VirtualMicroscope

_ = gettext.gettext
_FIELD = "com_magnitude"
# What the field round a dopant stands out in.
_SHOWS_DOPANTS = frozenset({"com_magnitude", "com_x", "com_y", "annular_dark_field"})
# A place among the best is one of so many neighbouring sites at least.
_FEWEST_SITES = 4
# The sentence names no more places than this.
_NAMED = 6


@dataclass(frozen=True, eq=False)
class Missed:
    """Found and missed.

    Attributes:
        what: what was looked for, in words.
        found_nm: (y, x) of what was found (n, 2), nm as the survey image's axes count.
        missed_nm: the same of what was not.
        truth: true values of the property at the sites (M,).
        measured: sites that were measured.
        damaged: how often the beam changed the structure.
    """

    what: str
    found_nm: FloatArray
    missed_nm: FloatArray
    truth: FloatArray
    measured: int
    damaged: int = 0

    @property
    def sentence(self) -> str:
        """It all in plain words."""
        found, total = len(self.found_nm), len(self.found_nm) + len(self.missed_nm)
        text = _("You found {found} of {total} {what} with {measured} of {sites:,} sites").format(
            found=found, total=total, what=self.what, measured=self.measured, sites=len(self.truth)
        )
        if len(self.missed_nm):
            places = ", ".join(f"({x:.1f}, {y:.1f})" for y, x in self.missed_nm[:_NAMED])
            more = len(self.missed_nm) - _NAMED
            text += _("; missed, at (x, y) nm: {places}").format(places=places)
            text += _(" and {more} more").format(more=more) if more > 0 else ""
        if self.damaged:
            text += _(". The beam has changed the sample: the truth is as it is now")
        return text + "."


def missed_of(experiment: Experiment, microscope: VirtualMicroscope, measured: str) -> Missed:
    """What a run has found and missed.

    Args:
        experiment: the run.
        microscope: what it was made on.
        measured: the property.

    Raises:
        InputError: nobody knows the truth of this property.
    """
    places = sites_nm(experiment)
    structure = experiment.structure
    truth = truth_at(microscope, measured, places) if structure is None else _structural(structure)
    if truth is None:
        raise InputError(
            f"the simulated microscope does not know the truth of {measured} on this sample; "
            "train on the electric field, a bright or dark field, or on a flake the Bragg distance"
        )
    measured_sites = len(experiment.told)
    # a site that gave no number has found nothing
    visited = np.array([told.site.index for told in experiment.told if told.measurement.ok], dtype=np.int64)
    damaged = len(microscope.events)
    goal = experiment.settings.goal
    if structure is None and goal.direction == "maximise" and measured in _SHOWS_DOPANTS:
        field = truth if measured == _FIELD else truth_at(microscope, _FIELD, places)
        rings = rings_of(microscope.sample, places, field) if field is not None else ()
        if rings:
            at = np.array([ring.position_nm for ring in rings])
            hit = np.array([ring.found_after(visited) is not None for ring in rings])
            return Missed(_("dopants"), at[hit], at[~hit], truth, measured_sites, damaged)
    groups = best_places(experiment.sites, top_sites(truth, goal))
    at = np.array([places[group].mean(axis=0) for group in groups]).reshape(-1, 2)
    hit = np.array([bool(np.isin(group, visited).any()) for group in groups], dtype=bool)
    return Missed(_("places among the best 5 %"), at[hit], at[~hit], truth, measured_sites, damaged)


def _structural(structure: Structure) -> FloatArray | None:
    return structure.everywhere() if structure.is_known else None


def best_places(sites: Sites, best: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Neighbouring sites among the best, each place as indices of its sites; single sites are no place."""
    from scipy.ndimage import label

    at = sites.positions // sites.stride
    at = at - at.min(axis=0)
    grid = np.zeros(at.max(axis=0) + 1, dtype=bool)
    grid[tuple(at[best].T)] = True
    names, count = label(grid, structure=np.ones((3, 3)))
    of_site = np.where(best, names[tuple(at.T)], 0)
    groups = [np.flatnonzero(of_site == number) for number in range(1, count + 1)]
    whole = [group for group in groups if len(group) >= _FEWEST_SITES]
    return whole or groups
