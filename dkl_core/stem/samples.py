"""Samples built in code from settings and a seed: where every atom is, and the truth that follows from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dkl_core.stem import lattices
from dkl_core.stem.atoms import Atoms, IntArray
from dkl_core.stem.defects import NOT_A_DOPANT, DopantKind, Outline, Sheet, scattered
from dkl_core.stem.lattices import Crystal
from dkl_core.stem.optics import FloatArray, Optics
from dkl_core.stem.settings import SampleSettings
from dkl_core.stem.strain import StrainField

if TYPE_CHECKING:
    from scipy.spatial import KDTree

# The crystal goes on a little outside of the field, so that a scan of the field sees no edge.
MARGIN_NM = 1.0
COVERED_NM = 0.22
SECOND_LAYER_TURN_DEG = 12.0
SUBSTITUTIONS: tuple[DopantKind, ...] = ("threefold", "fourfold", "trimer")


@dataclass(frozen=True)
class Dopant:
    """A group of foreign atoms.

    Attributes:
        position_nm: (y, x) of its middle, nm.
        kind: "threefold", "fourfold", "trimer" or "edge".
        layer: the layer it is in.
        atoms: indices of its silicon atoms.
    """

    position_nm: tuple[float, float]
    kind: DopantKind
    layer: int
    atoms: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Sample:
    """A piece of material; positions are (y, x) in nm from the centre of the field.

    Attributes:
        atoms: all atoms, also some outside of the field.
        field_nm: width and height of the field, nm.
        layers: the layer that each atom belongs to (n,), 0 for the one that the beam meets first.
        dopants: the foreign atoms.
        settings: what it was built from, None for atoms that came from elsewhere.
        strain: the displacement field of a strained flake, None for other samples.
        crystal: the perfect crystal of its first layer, None for atoms that came from elsewhere.
    """

    atoms: Atoms
    field_nm: float
    layers: IntArray
    dopants: tuple[Dopant, ...] = ()
    settings: SampleSettings | None = None
    strain: StrainField | None = None
    crystal: Crystal | None = None

    @classmethod
    def from_atoms(cls, atoms: Atoms, field_nm: float) -> Sample:
        """A sample of any atoms; the origin is the centre of the field."""
        from dkl_core.stem.scatterer import sliced

        return cls(atoms, field_nm, sliced(atoms)[0])

    def layers_at(self, y_nm: ArrayLike, x_nm: ArrayLike) -> NDArray[np.intp]:
        """Number of layers at positions (any shape)."""
        places = np.stack(np.broadcast_arrays(np.asarray(y_nm, float), np.asarray(x_nm, float)), axis=-1)
        count = np.zeros(places.shape[:-1], dtype=np.intp)
        for tree in self._trees:
            count += tree.query(places, distance_upper_bound=COVERED_NM)[0] < np.inf
        return count

    def vacuum_at(self, y_nm: ArrayLike, x_nm: ArrayLike) -> NDArray[np.bool_]:
        """Whether there is no atom near positions (any shape)."""
        vacuum: NDArray[np.bool_] = self.layers_at(y_nm, x_nm) == 0
        return vacuum

    def bragg_expected_at(self, y_nm: ArrayLike, x_nm: ArrayLike, optics: Optics) -> FloatArray | None:
        """Mean first-order distance at positions (any shape), mrad, NaN in vacuum; None for an unstrained sample."""
        if self.strain is None or self.crystal is None:
            return None
        places = np.stack(np.broadcast_arrays(np.asarray(y_nm, float), np.asarray(x_nm, float)), axis=-1)
        expected = self.strain.mean_first_order_mrad(places, self.crystal, optics)
        return np.where(self.vacuum_at(y_nm, x_nm), np.nan, expected)

    @cached_property
    def _trees(self) -> list[KDTree]:
        from scipy.spatial import KDTree

        points = self.atoms.positions_nm[:, :2]
        return [KDTree(points[self.layers == layer]) for layer in np.unique(self.layers)]


def build_sample(settings: SampleSettings | str) -> Sample:
    """The sample that belongs to settings; a kind alone stands for its defaults.

    Raises:
        InputError: the dopants and holes asked for do not fit into the field.
    """
    chosen = SampleSettings(kind=settings) if isinstance(settings, str) else settings  # type: ignore[arg-type]
    return _BUILDERS[chosen.kind](chosen)


@dataclass(frozen=True)
class _Plan:
    """Where the defects of graphene layers go."""

    holes: tuple[Outline, ...]
    windows: tuple[tuple[Outline, int], ...]
    dopants: tuple[tuple[DopantKind, int, tuple[float, float]], ...]

    @classmethod
    def drawn(cls, settings: SampleSettings, layers: int) -> _Plan:
        rng, field, at = np.random.default_rng([settings.seed, 1]), settings.field_nm, settings.dopants
        holes = _outlines(rng, settings.holes.count, field, settings.holes.radius_nm, ())
        windows = settings.holes.windows if layers > 1 else 0
        windows_at = _outlines(rng, windows, field, settings.holes.window_radius_nm, holes)
        avoided = (*holes, *windows_at)
        count = at.number(field**2)
        places = scattered(rng, count, field / 2 - 0.4, at.spacing_nm, avoided)
        shares = np.array([at.threefold, at.fourfold, at.trimer])
        kinds = rng.choice(len(SUBSTITUTIONS), count, p=shares / shares.sum())
        layer = rng.integers(0, layers, count)
        return cls(
            holes,
            tuple((outline, int(rng.integers(0, layers))) for outline in windows_at),
            tuple(
                (SUBSTITUTIONS[k], int(n), (p[0], p[1])) for k, n, p in zip(kinds, layer, places.tolist(), strict=True)
            ),
        )

    def cut_from(self, layer: int) -> tuple[Outline, ...]:
        """The holes of a layer."""
        return (*self.holes, *(outline for outline, missing in self.windows if missing == layer))


def _outlines(
    rng: np.random.Generator, count: int, field_nm: float, radius_nm: float, avoided: tuple[Outline, ...]
) -> tuple[Outline, ...]:
    radius = min(radius_nm, field_nm / 8)
    reach = 1.3 * radius
    places = scattered(
        rng, count, field_nm / 2 - reach - 0.2, 2 * reach + 0.4, tuple(_grown(o, reach) for o in avoided)
    )
    phases = rng.uniform(0, 2 * np.pi, (count, 2))
    return tuple(
        Outline((y, x), radius, (a, b)) for (y, x), (a, b) in zip(places.tolist(), phases.tolist(), strict=True)
    )


def _grown(outline: Outline, by_nm: float) -> Outline:
    # `scattered` already keeps the spacing, which counts the new outline twice.
    return Outline(outline.centre_nm, max(outline.largest_nm - by_nm, 0.1), waviness=0.0)


def _graphene_layers(settings: SampleSettings, turns_deg: tuple[float, ...]) -> Sample:
    plan = _Plan.drawn(settings, len(turns_deg))
    half = settings.field_nm / 2 + MARGIN_NM
    kinds: list[tuple[DopantKind, int]] = []
    sheets = []
    for layer, turn in enumerate(turns_deg):
        crystal = lattices.graphene().turned(settings.rotation_deg + turn)
        sheet = Sheet.of(crystal.filling(half, layer * lattices.LAYER_SPACING_NM))
        rng = np.random.default_rng([settings.seed, 2, layer])
        for outline in plan.cut_from(layer):
            sheet = sheet.cut(outline)
            sheet = sheet.edge_doped(outline, settings.holes.edge_si, len(kinds), rng)
            kinds += [("edge", layer)] * (len(np.unique(sheet.tags[sheet.tags >= len(kinds)])))
        here = [(kind, place) for kind, at_layer, place in plan.dopants if at_layer == layer]
        sheet = sheet.doped([kind for kind, _ in here], np.array([place for _, place in here]), len(kinds))
        kinds += [(kind, layer) for kind, _ in here]
        sheets.append(sheet.relaxed())
    return _assembled(settings, sheets, kinds)


def _assembled(settings: SampleSettings, sheets: list[Sheet], kinds: list[tuple[DopantKind, int]]) -> Sample:
    atoms = Atoms.joined(*(sheet.atoms for sheet in sheets))
    layers = np.repeat(np.arange(len(sheets)), [len(sheet.atoms) for sheet in sheets])
    tags = np.concatenate([sheet.tags for sheet in sheets])
    tagged = np.flatnonzero(tags != NOT_A_DOPANT)
    dopants = []
    for tag, (kind, layer) in enumerate(kinds):
        members = tagged[tags[tagged] == tag]
        y, x = atoms.positions_nm[members, :2].mean(axis=0).tolist()
        dopants.append(Dopant((y, x), kind, layer, tuple(members.tolist())))
    crystal = lattices.graphene().turned(settings.rotation_deg)
    return Sample(atoms, settings.field_nm, layers, tuple(dopants), settings, crystal=crystal)


def _graphene_si(settings: SampleSettings) -> Sample:
    return _graphene_layers(settings, (0.0,))


def _twisted_bilayer(settings: SampleSettings) -> Sample:
    return _graphene_layers(settings, (0.0, settings.twist_deg))


def _mnps3(settings: SampleSettings) -> Sample:
    half = settings.field_nm / 2 + MARGIN_NM
    crystal = lattices.mnps3().turned(settings.rotation_deg)
    second = crystal.scaled(1 - settings.contraction)
    parts = [crystal.filling(half), second.filling(half, lattices.MNPS3_SPACING_NM)]
    rng = np.random.default_rng([settings.seed, 1])
    holes = _outlines(rng, settings.holes.count, settings.field_nm, settings.holes.radius_nm, ())
    for hole in holes:
        parts = [part.chosen(~hole.contains(part.positions_nm[:, :2])) for part in parts]
    layers = np.repeat(np.arange(2), [len(part) for part in parts])
    return Sample(Atoms.joined(*parts), settings.field_nm, layers, (), settings, crystal=crystal)


def _strained_flake(settings: SampleSettings) -> Sample:
    half = settings.field_nm / 2 + MARGIN_NM
    strain = StrainField.across(settings.strain, settings.field_nm)
    perfect = lattices.graphene() if settings.strain.material == "graphene" else lattices.mos2()
    crystal = perfect.turned(settings.rotation_deg)
    flake = crystal.filling(half, moved=strain.moved, room=1.08)
    edge = strain.edge_nm(flake.positions_nm[:, 0]) if settings.strain.edge else np.full(len(flake), np.inf)
    flake = flake.chosen(flake.positions_nm[:, 1] < edge)
    parts = [flake, _second_layer(settings, strain, half, float(flake.positions_nm[:, 2].max()))]
    for hole in _flake_holes(settings, strain.scale):
        parts = [part.chosen(~hole.contains(part.positions_nm[:, :2])) for part in parts]
    layers = np.repeat(np.arange(2), [len(part) for part in parts])
    return Sample(Atoms.joined(*parts), settings.field_nm, layers, (), settings, strain, crystal)


def _flake_holes(settings: SampleSettings, scale: float) -> tuple[Outline, ...]:
    rng = np.random.default_rng([settings.seed, 1])
    half = settings.field_nm / 2
    edge = Outline((0.0, half + 2.5 * scale), 13.0 * scale, waviness=0.0)
    return _outlines(rng, settings.holes.count, settings.field_nm, settings.holes.radius_nm, (edge,))


def _second_layer(settings: SampleSettings, strain: StrainField, half_nm: float, top_nm: float) -> Atoms:
    crystal = lattices.graphene().turned(settings.rotation_deg + SECOND_LAYER_TURN_DEG)
    layer = crystal.filling(half_nm, top_nm + lattices.LAYER_SPACING_NM)
    y, x = layer.positions_nm[:, 0], layer.positions_nm[:, 1]
    covered = (y < -6.2 * strain.scale + 0.15 * x) & (x < strain.edge_nm(y) - 0.6 * strain.scale)
    return layer.chosen(covered & settings.strain.second_layer)


_BUILDERS: dict[str, Callable[[SampleSettings], Sample]] = {
    "graphene_si": _graphene_si,
    "twisted_bilayer": _twisted_bilayer,
    "mnps3": _mnps3,
    "strained_flake": _strained_flake,
}
