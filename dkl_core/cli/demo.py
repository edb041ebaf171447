"""`dkl demo`: a complete experiment on an embedded simulated surface."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tqdm import tqdm

from dkl_core.cli import common, simulated, zoom_demo
from dkl_core.cli.figures import figure_of
from dkl_core.experiment import RecordedExperiment
from dkl_core.experiment import run as drive


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = common.add_command(
        commands,
        "demo",
        "a complete experiment on a simulated surface, with figure and run file",
        "dkl demo --out demo_run\n  dkl demo --out demo_zoom --zoom 20nm,8nm",
    )
    parser.add_argument("--out", default="demo_run", metavar="FOLDER", help="where to write (default demo_run)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="seed of surface and experiment (default 0)")
    parser.add_argument(
        "--zoom", metavar="SIZES", help="then measure in smaller frames where most is predicted: 20nm,8nm or 4x"
    )
    common.add_decision_options(parser, budget=100)
    common.add_device_option(parser)
    common.add_pretraining_options(parser)
    return parser


def run(args: argparse.Namespace) -> None:
    """Make the surface, measure, write, and compare with measuring at random."""
    if args.zoom is not None:
        zoom_demo.run(args)
        return
    folder = common.made_folder(args.out)
    instrument, settings = simulated.instrument_of({"seed": args.seed}), simulated.settings_of(args)
    print("a simulated STM surface: topograph first, then a dI/dV spectrum at each site that the model asks for")
    path, picture, host = folder / "run.h5", folder / "run.png", simulated.host_of(args)
    with (
        RecordedExperiment.start(path, instrument.image(), settings, host=host, overwrite=True) as recorded,
        tqdm(total=args.budget, unit="site", disable=args.quiet) as bar,
    ):
        experiment = recorded.experiment
        reason = drive(experiment, instrument, progress=lambda at: common.show_progress(bar, at))
        truth = instrument.truth(experiment.sites)
        hits = simulated.hits_of(experiment, truth)
        figure_of(experiment, simulated.TARGET, str(picture), title="dkl demo", hits=hits)
        result = simulated.result_of(experiment, truth, reason)
    _print(result, path, picture)
    common.write_json(args.json, [result])


def _print(result: dict[str, Any], path: Path, picture: Path) -> None:
    print(
        f"measured {result['measured']} of {result['n_sites']} sites "
        f"({result['failed']} spectra were not usable and are kept as failed); {result['stop_reason']}"
    )
    print(
        f"after seeding, {100 * result['hit_rate']:.0f} % of the measurements hit the best 5 % of the sites "
        f"(at random: {100 * result['random_hit_rate']:.0f} %)"
    )
    print(
        f"predicted map against the truth on the sites not measured: correlation {result['map_correlation']:.2f}; "
        f"share explained by structure {result['structure_share']:.2f}"
    )
    print(f"run file: {path}\nfigure:   {picture}")
    print(f"look again with: dkl show {path}")
