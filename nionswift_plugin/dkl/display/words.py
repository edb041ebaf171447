"""What a property is called, the unit that its values are in, and how many patterns it takes: the one place for it."""

from __future__ import annotations

import gettext
from collections.abc import Mapping
from dataclasses import dataclass

from dkl_core.experiment import StructureSettings
from dkl_core.scalarizers import NamedScalarizer

_ = gettext.gettext


@dataclass(frozen=True)
class Property:
    """What is measured, in the microscopist's words.

    Attributes:
        name: for instance "electric field |CoM|".
        unit: of its values, empty for a pure number.
        patterns: how many patterns one site takes.
    """

    name: str
    unit: str = ""
    patterns: int = 1


# By the names of their scalarizers, in the order in which they are offered.
PROPERTIES: Mapping[str, Property] = {
    "com_magnitude": Property(_("electric field |CoM|"), "mrad"),
    "com_x": Property(_("deflection to the right"), "mrad"),
    "com_y": Property(_("deflection downwards"), "mrad"),
    "com_angle": Property(_("direction of the deflection"), "rad"),
    "bright_field": Property(_("bright field")),
    "annular_bright_field": Property(_("annular bright field")),
    "annular_dark_field": Property(_("annular dark field")),
    "bragg_distance": Property(_("distance of the Bragg discs"), "mrad"),
    "strain_xx": Property(_("strain along x")),
    "strain_yy": Property(_("strain along y")),
    "strain_xy": Property(_("shear strain")),
    "lattice_rotation": Property(_("rotation of the lattice"), "°"),
    "charge_density": Property(_("charge density"), "e/nm²", 9),
    "com_divergence": Property(_("divergence of the deflection"), "mrad/nm", 9),
    "com_curl": Property(_("curl of the deflection"), "mrad/nm", 9),
}


def looked_for(structure: StructureSettings | None, measured: Property) -> Property:
    """What drives a run: the structure of its survey image, or what is measured."""
    return measured if structure is None else Property(structure.words, "", measured.patterns)


def property_of(scalarizer: NamedScalarizer | str) -> Property:
    """The words for what a scalarizer measures; the user's own keeps the name of its function."""
    name = scalarizer if isinstance(scalarizer, str) else scalarizer.name
    known = PROPERTIES.get(name)
    return Property(name.rpartition(":")[2].replace("_", " ")) if known is None else known
