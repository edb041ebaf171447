"""`dkl find-atoms`: where the atoms of an image are."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dkl_core.cli import common
from dkl_core.errors import InputError

if TYPE_CHECKING:
    from dkl_core.discovery.atoms.found import FoundAtoms
    from dkl_core.survey import SurveyImage

INTERRUPTED = 130
EXAMPLE = "bilayer"


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = common.add_command(
        commands,
        "find-atoms",
        "find the atoms of an image",
        "dkl find-atoms bilayer --out atoms --json atoms.json",
    )
    parser.add_argument(
        "file", metavar="IMAGE", help=f".npz, .npy, .hf5, Nanonis .3ds or .sxm; `{EXAMPLE}` simulates an example"
    )
    parser.add_argument("--image", metavar="KEY", help="name of the image in the file")
    parser.add_argument("--method", choices=("network", "classical"), default="network", help="default network")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="weights of the network (default: those shipped)")
    parser.add_argument("--width", type=float, metavar="PX", help="standard deviation of a spot (default: measured)")
    parser.add_argument("--out", default="atoms", metavar="FOLDER", help="where results go (default atoms)")
    parser.add_argument("--frame-nm", type=float, metavar="NM", help="frame width, if neither file nor name tells it")
    return parser


def run(args: argparse.Namespace) -> None:
    """Find, write, draw and say how many."""
    if args.weights is not None and not args.weights.is_file():
        raise InputError(f"--weights {args.weights} is no file; give one that `dkl train-atoms` wrote")
    survey = read_image(args.file, args.image, args.frame_nm)
    folder = common.made_folder(args.out)
    start = time.perf_counter()
    try:
        found = _found(survey, args)
    except KeyboardInterrupt:
        print("stopped; nothing was written")
        raise SystemExit(INTERRUPTED) from None
    seconds = time.perf_counter() - start
    for notice in found.notices:
        print(f"note: {notice}")
    files = _written(survey, found, folder)
    print(
        f"{len(found):,} atoms by the {found.method} method in {seconds:.1f} s; spot {found.width_px:.2f} px, "
        f"spacing {found.spacing_px:.2f} px"
    )
    print(f"written: {', '.join(files)}")
    facts: dict[str, Any] = {
        "atoms": len(found),
        "method": found.method,
        "width_px": found.width_px,
        "spacing_px": found.spacing_px,
    }
    facts |= {"seconds": seconds, "notices": found.notices, "files": files}
    common.write_json(args.json, [facts])


def read_image(file: str, key: str | None = None, frame_nm: float | None = None) -> SurveyImage:
    """The image of a file, or the example."""
    path = Path(file)
    return _example() if file == EXAMPLE and not path.exists() else common.image_of(path, key, frame_nm)


def _example(px: int = 320, pixel_nm: float = 0.02, electrons: float = 1.2e4) -> SurveyImage:
    """A twisted bilayer of graphene with silicon, at 30 pA and 64 µs per pixel."""
    import numpy as np

    from dkl_core.discovery.planted_atoms import dark_field
    from dkl_core.stem import SampleSettings, build_sample
    from dkl_core.survey import SurveyImage

    clean = dark_field(build_sample(SampleSettings("twisted_bilayer", px * pixel_nm, seed=3)), px, pixel_nm)
    return SurveyImage(np.random.default_rng(3).poisson(electrons * clean).astype(float), (pixel_nm, pixel_nm))


def _found(survey: SurveyImage, args: argparse.Namespace) -> FoundAtoms:
    from tqdm import tqdm

    from dkl_core.discovery.atoms import find_atoms

    with tqdm(total=100, unit="%", desc="finding", leave=False, disable=args.quiet) as bar:
        return find_atoms(
            survey.values,
            method=args.method,
            weights=args.weights,
            width_px=args.width,
            progress=lambda share: bar.update(round(100 * share) - bar.n) and None,
        )


def _written(survey: SurveyImage, found: FoundAtoms, folder: Path) -> list[str]:
    import numpy as np

    from dkl_core.discovery.atoms.figures import atoms_figure
    from dkl_core.report import save_figure

    columns, names = [found.positions, found.intensities[:, None]], ["row_px", "col_px", "height"]
    arrays: dict[str, Any] = {"atoms": found.positions, "intensities": found.intensities, "image": survey.values}
    arrays |= {"width_px": np.float64(found.width_px), "spacing_px": np.float64(found.spacing_px)}
    if survey.pixel_nm is not None:
        columns.append(survey.to_nm(found.positions))
        names += ["row_nm", "col_nm"]
        arrays["pixel_nm"] = np.float64(survey.pixel_nm[0])
    table, archive = folder / "atoms.csv", folder / "atoms.npz"
    np.savetxt(table, np.hstack(columns), "%.6g", delimiter=",", header=",".join(names), comments="")
    np.savez_compressed(archive, **arrays)
    picture = save_figure(atoms_figure(survey.values, found), folder / "atoms.png", dpi=110)
    return [str(path) for path in (table, archive, picture)]
