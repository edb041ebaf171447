"""How often the beam changes an atom."""

from __future__ import annotations

from dataclasses import dataclass

from dkl_core.errors import InputError
from dkl_core.stem.checked import require_not_negative


@dataclass(frozen=True)
class CrossSection:
    """How often a fast electron changes an atom.

    Attributes:
        element: atomic number.
        neighbours: number of bonds for which this row holds, and fewer ones if no row is nearer; None for any.
        event: `remove` takes the atom away, `swap` exchanges it with a bonded carbon atom.
        barn: cross-section, 1 barn = 1e-8 Å^2.
    """

    element: int
    neighbours: int | None
    event: str
    barn: float

    def __post_init__(self) -> None:
        if self.event not in ("remove", "swap"):
            raise InputError(f"the event is {self.event!r}; give 'remove' or 'swap'")
        require_not_negative(barn=self.barn)


# Orders of magnitude at 60 to 70 kV: pristine carbon is nearly stable (arXiv:1203.2372), edge atoms and silicon are not
# (arXiv:1407.4274; Dyck et al., PMC6524980, Table 1).
CROSS_SECTIONS = (
    CrossSection(6, 3, "remove", 0.01),
    CrossSection(6, 2, "remove", 1.0),
    CrossSection(6, 1, "remove", 20.0),
    CrossSection(7, None, "remove", 0.05),
    CrossSection(14, None, "swap", 0.5),
    CrossSection(14, 2, "remove", 2.0),
    CrossSection(15, None, "remove", 0.2),
    CrossSection(16, None, "remove", 1.0),
    CrossSection(25, None, "remove", 0.05),
)


@dataclass(frozen=True)
class DamageSettings:
    """The structure changing under the beam.

    Attributes:
        on: whether the beam damages the sample.
        table: cross-sections by element and number of bonds.
        scale: factor on all cross-sections.
    """

    on: bool = True
    table: tuple[CrossSection, ...] = CROSS_SECTIONS
    scale: float = 1.0

    def __post_init__(self) -> None:
        require_not_negative(scale=self.scale)
