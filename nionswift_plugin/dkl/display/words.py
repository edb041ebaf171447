"""What a property is called, and the unit that its values are in."""

from __future__ import annotations

import gettext
from dataclasses import dataclass

from dkl_core.scalarizers import NamedScalarizer

_ = gettext.gettext


@dataclass(frozen=True)
class Property:
    """What is measured, in the microscopist's words.

    Attributes:
        name: for instance "electric field |CoM|".
        unit: of its values, empty for a pure number.
    """

    name: str
    unit: str = ""


def property_of(scalarizer: NamedScalarizer | str) -> Property:
    """The words for what a scalarizer measures; the user's own keeps the name of its function."""
    name = scalarizer if isinstance(scalarizer, str) else scalarizer.name
    known = _properties().get(name)
    return Property(name.rpartition(":")[2].replace("_", " ")) if known is None else known


def _properties() -> dict[str, Property]:
    return {
        "com_magnitude": Property(_("electric field |CoM|"), "mrad"),
        "com_angle": Property(_("direction of the electric field"), "rad"),
        "com_x": Property(_("deflection to the right"), "mrad"),
        "com_y": Property(_("deflection downwards"), "mrad"),
        "com_divergence": Property(_("divergence of the deflection"), "mrad/nm"),
        "com_curl": Property(_("curl of the deflection"), "mrad/nm"),
        "charge_density": Property(_("charge density"), "e/nm²"),
        "bright_field": Property(_("bright field")),
        "annular_bright_field": Property(_("annular bright field")),
        "annular_dark_field": Property(_("annular dark field")),
        "bragg_distance": Property(_("Bragg distance"), "mrad"),
        "strain_xx": Property(_("strain along x")),
        "strain_yy": Property(_("strain along y")),
        "strain_xy": Property(_("shear strain")),
        "lattice_rotation": Property(_("lattice rotation"), "deg"),
    }
