"""How the panel calls things: properties with their units, aims, strategies, states."""

from __future__ import annotations

import gettext
import math
from dataclasses import dataclass

from nionswift_plugin.dkl.display import words

_ = gettext.gettext


@dataclass(frozen=True)
class Property:
    """Something that can be measured, as the panel lists it.

    Attributes:
        name: its scalarizer.
        title: as the panel calls it.
        unit: of its values, empty for a plain number.
        patterns: how many patterns one site takes.
    """

    name: str
    title: str
    unit: str
    patterns: int = 1


AIMS = (
    ("strongest", _("Find the strongest")),
    ("weakest", _("Find the weakest")),
    ("value", _("Find a value")),
    ("explore", _("Explore the unknown")),
    ("structure", _("Find unusual structure")),
)
WORKFLOWS = (
    ("fft-pca", _("Lattice, by PCA (fast)")),
    ("fft-nmf", _("Lattice, by NMF")),
    ("fft-nfindr", _("Lattice, by N-FINDR")),
    ("fft-rvae", _("Lattice, turned (minutes)")),
    ("patch-pca", _("Picture, by PCA (fast)")),
    ("patch-nmf", _("Picture, by NMF")),
    ("patch-nfindr", _("Picture, by N-FINDR")),
    ("patch-rvae", _("Picture, turned (minutes)")),
    ("atoms-pca", _("Round atoms, by PCA")),
    ("atoms-nmf", _("Round atoms, by NMF")),
    ("atoms-nfindr", _("Round atoms, by N-FINDR")),
    ("atoms-rvae", _("Round atoms, turned (minutes)")),
)
STRATEGIES = (
    (None, _("What suits the goal")),
    ("ei", _("Expected improvement")),
    ("ucb", _("Upper confidence bound")),
    ("pi", _("Probability of improvement")),
    ("uncertainty", _("Largest uncertainty")),
    ("thompson", _("Random draw of the model")),
)
MODES = (
    ("record", _("Record (safe)")),
    ("sequence", _("Sequence (fast)")),
    ("live", _("Live view (slow)")),
)
SEED_METHODS = (("random", _("At random")), ("latin", _("Spread evenly")), ("grid", _("On a grid")))


def property_of(name: str) -> Property:
    """How a property is called, by the name of its scalarizer."""
    shown = words.property_of(name)
    title = shown.name[:1].upper() + shown.name[1:]
    if shown.patterns > 1:
        side = math.isqrt(shown.patterns)
        title = _("{property} ({side} × {side} patterns)").format(property=title, side=side)
    return Property(name, title, shown.unit, shown.patterns)


def with_unit(value: float, unit: str, noise: float | None = None) -> str:
    """A value as the panel shows it, with its noise where that is known."""
    text = f"{value:.3g}" if noise is None else f"{value:.3g} ± {noise:.2g}"
    return f"{text} {unit}".rstrip()


def duration(seconds: float) -> str:
    """A time as minutes and seconds, or hours and minutes."""
    whole = max(0, round(seconds))
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02d} h"


def millions(electrons: float) -> str:
    """A number of electrons in millions."""
    count = electrons / 1e6
    return f"{count:,.0f} × 10⁶ e⁻" if count >= 100 else f"{count:.3g} × 10⁶ e⁻"


PROPERTIES = tuple(property_of(name) for name in words.PROPERTIES)
