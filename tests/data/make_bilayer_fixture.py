"""Makes fixture_bilayer_abtem.npz: diffraction patterns of a small twisted bilayer by an independent multislice code.

    pip install "abtem>=1.0.11" && python tests/data/make_bilayer_fixture.py

abTEM takes many thin slices, finite projections and another parametrisation of the potential (Lobato and Van Dyck); the
scatterer has to agree with two slices. Patterns are stored as square roots in 16 bits.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from abtem import CustomScan, PixelatedDetector, Potential, Probe, config
from ase import Atoms as AseAtoms

from dkl_core.stem.optics import wavelength_nm
from dkl_core.stem.samples import build_sample
from dkl_core.stem.settings import DopantSettings, HoleSettings, SampleSettings

ENERGY_EV, SEMIANGLE_MRAD, MRAD_PER_PX = 70e3, 30.0, 2.0
PIXELS, GRID = 48, 640
HAADF_MRAD = (80.0, 200.0)
DEFOCUS_NM = (0.0, 40.0)
SETTINGS = SampleSettings(
    kind="twisted_bilayer",
    field_nm=4.0,
    twist_deg=21.79,
    dopants=DopantSettings(count=3, spacing_nm=0.8),
    holes=HoleSettings(radius_nm=0.4, edge_si=1, windows=1, window_radius_nm=0.5),
    seed=5,
)


def positions_nm() -> np.ndarray:
    """Probe positions (y, x): at the dopants, the hole, and scattered between them."""
    sample = build_sample(SETTINGS)
    at_dopants = [
        np.add(dopant.position_nm, shift) for dopant in sample.dopants for shift in ((0, 0.04), (0.06, -0.03))
    ]
    rest = np.random.default_rng(1).uniform(-0.9, 0.9, (30 - len(at_dopants), 2))
    return np.concatenate([at_dopants, rest])


def main() -> None:
    """Calculate and write the fixture."""
    config.set({"diagnostics.progress_bar": False})
    cell_a = 10e3 * wavelength_nm(ENERGY_EV)  # one pattern pixel is then 1 mrad
    atoms = build_sample(SETTINGS).atoms
    inside = (np.abs(atoms.positions_nm[:, :2]) < cell_a / 20 - 0.03).all(axis=1)
    atoms = atoms.chosen(inside)
    y, x, z = (10 * atoms.positions_nm).T
    above_a = 2.0
    model = AseAtoms(atoms.numbers, np.c_[x + cell_a / 2, y + cell_a / 2, z + above_a], cell=[cell_a, cell_a, 7.5])
    potential = Potential(model, gpts=GRID, slice_thickness=0.5, projection="finite", parametrization="lobato")
    potential = potential.build(lazy=False)
    places = positions_nm()
    scan = CustomScan(10 * places[:, ::-1] + cell_a / 2)
    stored: dict[str, Any] = {}
    for defocus in DEFOCUS_NM:
        probe = Probe(energy=ENERGY_EV, semiangle_cutoff=SEMIANGLE_MRAD, defocus=10 * defocus + above_a)
        probe.grid.match(potential)
        measured = probe.scan(potential, scan=scan, detectors=PixelatedDetector(max_angle="cutoff"), lazy=False)
        whole = np.swapaxes(np.asarray(measured.array, dtype=float), 1, 2)  # abTEM's arrays are [x, y]
        name = f"{defocus:g}nm"
        stored |= {f"{key}_{name}": value for key, value in summary(whole).items()}
    scale = np.float64(max(stored[key].max() for key in stored if key.startswith("patterns")) ** 0.5 / 65535)
    for key in [key for key in stored if key.startswith("patterns")]:
        stored[key] = np.rint(np.sqrt(stored[key]) / scale).astype(np.uint16)
    stored |= {"patterns_sqrt_scale": scale, "positions_nm": places, "det_mrad": np.float64(MRAD_PER_PX)}
    stored |= {"atoms_nm": atoms.positions_nm, "atoms_Z": atoms.numbers.astype(np.uint8)}
    stored |= {"energy_eV": np.float64(ENERGY_EV), "convergence_mrad": np.float64(SEMIANGLE_MRAD)}
    np.savez_compressed(Path(__file__).with_name("fixture_bilayer_abtem.npz"), **stored)


def summary(whole: np.ndarray) -> dict[str, np.ndarray]:
    """What is kept of patterns (n, size, size) of 1 mrad per pixel."""
    size = whole.shape[1]
    angle = np.arange(size) - size // 2
    radius = np.hypot(angle[:, None], angle)
    total = whole.sum(axis=(1, 2))
    first = size // 2 - PIXELS
    cut = whole[:, first : first + 2 * PIXELS, first : first + 2 * PIXELS]
    return {
        "patterns": cut.reshape(-1, PIXELS, 2, PIXELS, 2).sum(axis=(2, 4)),
        "com_y": (whole.sum(axis=2) * angle).sum(axis=1) / total,
        "com_x": (whole.sum(axis=1) * angle).sum(axis=1) / total,
        "total": total,
        "haadf": whole[:, (radius >= HAADF_MRAD[0]) & (radius < HAADF_MRAD[1])].sum(axis=1),
    }


if __name__ == "__main__":
    main()
