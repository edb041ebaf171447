"""`dkl show`: the figure of a run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from dkl_core.cli import common
from dkl_core.cli.figures import figure_of
from dkl_core.experiment.recorded import rebuilt
from dkl_core.record import read_run


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = common.add_command(commands, "show", "draw a run", "dkl show demo_run/run.h5 --out run.pdf")
    parser.add_argument("file", metavar="RUN", help="record of a run, finished or not")
    parser.add_argument("--out", metavar="PICTURE", help=".png, .pdf or .svg (default: beside the run, .png)")
    return parser


def run(args: argparse.Namespace) -> None:
    """Rebuild the experiment and draw it."""
    path = Path(args.file)
    picture = args.out or str(path.with_suffix(".png"))
    with read_run(path) as contents:
        experiment = rebuilt(contents)
        target = str(contents.header.settings.get("host", {}).get("target", "scalar"))
    if experiment.settings.structure is not None:
        target = experiment.settings.structure.words
    figure_of(experiment, target, picture, title=path.name)
    print(f"figure: {picture}")
    common.write_json(args.json, [{"figure": picture, "measured": len(experiment.told)}])
