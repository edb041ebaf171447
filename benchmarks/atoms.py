"""How many atoms are found in simulated images, how exactly, and how fast: `python -m benchmarks.atoms`.

Images: the multislice image of graphene with silicon (`--graphene FILE`, evaluation only), and twisted bilayers of
graphene with silicon dopants, a hole and a window, at 0.2 Å per pixel. Counts are those of 30 pA and 64 µs per pixel.

An atom counts if it lies two spot widths or more inside the image. It is found if a position lies within 0.3 Å of it;
one position may serve several atoms that lie above each other. "Columns" counts one to one: atoms of different layers
that are nearer to each other than a spot's width (0.33 Å) are one column, at their mean weighted by height, and every
column needs a position of its own. "False" is the share of positions that are no atom's own when atoms and positions
are paired one to one; "stray" that of positions without any atom within 0.3 Å.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from dataclasses import asdict
from pathlib import Path
from typing import get_args

import numpy as np

from dkl_core.discovery.atoms import Method, find_atoms
from dkl_core.discovery.atoms.crystals import Arrangement
from dkl_core.discovery.atoms.maps import columns_of
from dkl_core.discovery.atoms.score import scored
from dkl_core.discovery.planted_atoms import dark_field
from dkl_core.stem import SampleSettings, build_sample
from dkl_core.survey import FloatArray

RESULTS = Path(__file__).parent / "results"
# 30 pA for 64 µs.
ELECTRONS = 1.2e4
REACH_NM, PIXEL_NM, WIDTH_NM = 0.03, 0.02, 0.033
TWISTS_DEG = (2.0, 4.4, 6.0, 9.4, 13.2, 21.8, 28.0)
Truth = tuple[FloatArray, FloatArray]


def bilayer(twist_deg: float, seed: int, px: int, electrons: float | None = ELECTRONS) -> tuple[FloatArray, Truth]:
    """Image of a twisted bilayer, without noise if `electrons` is None; positions (px) and numbers of its atoms."""
    field = px * PIXEL_NM
    settings = SampleSettings(
        "twisted_bilayer", field, rotation_deg=7.0 + 13 * (seed % 20), twist_deg=twist_deg, seed=seed
    )
    sample = build_sample(settings)
    clean = dark_field(sample, px, PIXEL_NM)
    places = sample.atoms.positions_nm[:, :2] / PIXEL_NM + (px - 1) / 2
    return counted(clean, electrons, seed), (places, sample.atoms.numbers.astype(float))


def graphene(file: Path, electrons: float | None, seed: int) -> tuple[FloatArray, Truth]:
    """The multislice image, and its atoms."""
    with np.load(file, allow_pickle=False) as data:
        clean, atoms, numbers = data["haadf"].astype(float), data["atoms_xyz"], data["atoms_Z"]
        origin, step = np.array([data["y0_A"], data["x0_A"]]), float(data["sampling_A"])
    return counted(clean, electrons, seed), ((atoms[:, [1, 0]] - origin) / step, numbers.astype(float))


def counted(clean: FloatArray, electrons: float | None, seed: int) -> FloatArray:
    """Electrons per pixel."""
    if electrons is None:
        return clean
    return np.random.default_rng([991, seed]).poisson(clean * electrons).astype(float)


def judged(name: str, image: FloatArray, truth: Truth, method: Method) -> dict[str, object]:
    """What a method finds in an image."""
    start, used = time.perf_counter(), time.process_time()
    found = find_atoms(image, method=method)
    seconds, used = time.perf_counter() - start, time.process_time() - used
    reach, width = REACH_NM / PIXEL_NM, WIDTH_NM / PIXEL_NM
    places, numbers = truth
    inside = ((places > -5) & (places < np.array(image.shape) + 4)).all(axis=1)
    # Scattering to high angles grows with the atomic number to the power 1.7.
    atoms = Arrangement(places[inside], numbers[inside] ** 1.7)
    columns = columns_of(atoms, width)
    each = scored(found.positions, atoms.positions, reach, image.shape, 2 * width)
    own = scored(found.positions, columns.positions, reach, image.shape, 2 * width)
    silicon = scored(found.positions, places[inside][numbers[inside] == 14], reach, image.shape, 2 * width)
    print(
        f"{name:28s} {found.method:10s} {each.atoms:6d} atoms: within 0.3 Å {each.within:7.2%}, "
        f"columns {own.matched:7.2%} (of {own.atoms}), false {each.false:6.2%}, stray {each.stray:6.2%}, "
        f"Si {silicon.within:6.1%} of {silicon.atoms}, rms {own.error_px * PIXEL_NM * 10:.3f} Å, {seconds:5.2f} s "
        f"({used:.2f} s of processors)",
        flush=True,
    )
    facts = {
        "name": name,
        "method": found.method,
        "asked": method,
        "seconds": seconds,
        "processor_s": used,
        "notices": found.notices,
    }
    facts |= {"spot_nm": found.width_px * PIXEL_NM, "each": asdict(each), "columns": asdict(own)}
    return facts | {"silicon": asdict(silicon)}


def finding(file: Path | None, px: int, seeds: int) -> list[dict[str, object]]:
    """All images, both methods side by side."""
    rows: list[dict[str, object]] = []
    images: list[tuple[str, FloatArray, Truth]] = []
    if file is not None:
        images.append(("graphene, clean", *graphene(file, None, 0)))
        images += [(f"graphene, 64 µs, seed {seed}", *graphene(file, ELECTRONS, seed)) for seed in range(seeds)]
    for number, twist in enumerate(TWISTS_DEG):
        images.append((f"bilayer {twist:g}°, 64 µs", *bilayer(twist, number, px)))
    images.append((f"bilayer {TWISTS_DEG[2]:g}°, clean", *bilayer(TWISTS_DEG[2], 2, px, None)))
    images.append((f"bilayer {TWISTS_DEG[2]:g}°, 256 µs", *bilayer(TWISTS_DEG[2], 2, px, 4 * ELECTRONS)))
    for name, image, truth in images:
        rows += [judged(name, image, truth, method) for method in get_args(Method)]
    return rows


def timing() -> list[dict[str, object]]:
    """Time of 1,024 x 1,024 px, and memory of 2,048 x 2,048 px."""
    image, truth = bilayer(9.4, 40, 1024)
    rows = [judged("bilayer 1,024 x 1,024 px", image, truth, method) for method in get_args(Method)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.perf_counter()
    found = find_atoms(np.tile(image, (2, 2)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"2,048 x 2,048 px: {len(found)} atoms, {time.perf_counter() - start:.1f} s, peak {peak:.0f} MB "
          f"({before:.0f} MB before)")  # fmt: skip
    return [*rows, {"name": "2,048 x 2,048 px", "peak_mb": peak, "before_mb": before}]


def main() -> None:
    """Run the parts asked for and write what they gave."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graphene", type=Path, metavar="FILE", help="graphene_si_30mrad.npz")
    parser.add_argument("--px", type=int, default=512, help="edge of the bilayers' images (default 512)")
    parser.add_argument("--seeds", type=int, default=3, help="noise of the graphene image (default 3)")
    parser.add_argument("--parts", nargs="+", choices=("finding", "timing"), default=["finding", "timing"])
    args = parser.parse_args()
    target = RESULTS / "atoms.json"
    result: dict[str, object] = json.loads(target.read_text(encoding="utf-8")) if target.is_file() else {}
    if "finding" in args.parts:
        result["finding"] = finding(args.graphene, args.px, args.seeds)
    if "timing" in args.parts:
        result["timing"] = timing()
    RESULTS.mkdir(exist_ok=True)
    target.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
