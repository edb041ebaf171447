"""The command `dkl simulate`: writes a simulated sample as a full 4D set."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dkl_core.cli import common
from dkl_core.errors import InputError

if TYPE_CHECKING:
    from dkl_core.stem.optics import Optics
    from dkl_core.stem.realism import Realism

SAMPLES = ("graphene_si", "twisted_bilayer", "mnps3", "strained_flake")
# Angle, defocus: MnPS3 is looked at under defocus, a strained flake by nanobeam diffraction.
USUAL_OPTICS = {"mnps3": (30.0, 40.0), "strained_flake": (5.0, 0.0)}


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = common.add_command(
        commands,
        "simulate",
        "write a simulated sample as a full 4D-STEM set: a HAADF image and a diffraction pattern everywhere",
        "dkl simulate --sample twisted_bilayer --field 6 --size 64 --out set.npz\n"
        "  dkl replay set.npz --scalarizer com_magnitude",
    )
    parser.add_argument("--sample", choices=SAMPLES, default="twisted_bilayer", help="default twisted_bilayer")
    parser.add_argument("--out", required=True, metavar="FILE", help="the .npz archive to write")
    parser.add_argument("--field", type=float, default=6.0, metavar="NM", help="edge of the field in nm (default 6)")
    parser.add_argument("--size", type=int, default=64, metavar="N", help="positions along each edge (default 64)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="seed of sample and noise (default 0)")
    parser.add_argument("--twist", type=float, metavar="DEG", help="angle between the layers of a twisted bilayer")
    _add_microscope_options(parser)
    return parser


def _add_microscope_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--energy", type=float, default=70.0, metavar="KEV", help="beam energy in keV (default 70)")
    parser.add_argument("--semiangle", type=float, metavar="MRAD", help="convergence semi-angle (default 30; flake 5)")
    parser.add_argument("--defocus", type=float, metavar="NM", help="underfocus in nm (default 0; mnps3 40)")
    parser.add_argument("--detector", type=int, default=64, metavar="PX", help="pixels along the camera (default 64)")
    parser.add_argument(
        "--realism",
        "--noise",
        choices=("ideal", "realistic", "hostile"),
        default="ideal",
        help="what the microscope adds: nothing (ideal, default), noise, drift and defects, or too much of them",
    )
    parser.add_argument("--exposure", type=float, default=10.0, metavar="MS", help="of a pattern, in ms (default 10)")
    parser.add_argument("--current", type=float, default=30.0, metavar="PA", help="beam current in pA (default 30)")


def run(args: argparse.Namespace) -> None:
    """Build the sample, record it and say what was written."""
    from tqdm import tqdm

    from dkl_core.stem.dataset import ScanSettings, write_4d
    from dkl_core.stem.detectors import DetectorSettings
    from dkl_core.stem.samples import build_sample

    _check(args)
    sample = build_sample(_sample_settings(args))
    scan = ScanSettings((args.size, args.size), args.field, args.exposure * 1e-3)
    with tqdm(total=args.size**2, unit="pattern", disable=args.quiet) as bar:
        write_4d(
            args.out,
            sample,
            optics=_optics(args),
            detector=DetectorSettings(shape=(args.detector, args.detector)),
            realism=_realism(args),
            scan=scan,
            seed=args.seed,
            progress=bar.update,
        )
    size = Path(args.out).stat().st_size
    print(
        f"wrote {args.out}: {args.size} x {args.size} patterns of {args.detector} x {args.detector} pixels, "
        f"{size / 1e6:.1f} MB"
    )
    common.write_json(args.json, [{"file": args.out, "bytes": size, "patterns": args.size**2}])


def _check(args: argparse.Namespace) -> None:
    if args.size < 2:
        raise InputError(f"--size is {args.size}; give 2 or more positions along each edge")
    if Path(args.out).suffix != ".npz":
        raise InputError(f"--out is {args.out}; give the file a name that ends in .npz, or it is not read as a set")
    if args.twist is not None and args.sample != "twisted_bilayer":
        raise InputError(f"--twist is of no use for {args.sample}; leave it out, or take --sample twisted_bilayer")


def _sample_settings(args: argparse.Namespace) -> Any:
    from dkl_core.stem.settings import SampleSettings

    settings = SampleSettings(kind=args.sample, field_nm=args.field, seed=args.seed)
    return settings if args.twist is None else replace(settings, twist_deg=args.twist)


def _optics(args: argparse.Namespace) -> Optics:
    from dkl_core.stem.optics import Optics

    semiangle, defocus = USUAL_OPTICS.get(args.sample, (30.0, 0.0))
    return Optics(
        energy_ev=args.energy * 1e3,
        semiangle_mrad=semiangle if args.semiangle is None else args.semiangle,
        defocus_nm=defocus if args.defocus is None else args.defocus,
    )


def _realism(args: argparse.Namespace) -> Realism:
    from dkl_core.stem.realism import Realism

    return replace(Realism.named(args.realism), current_pa=args.current)
