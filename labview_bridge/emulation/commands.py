"""`dkl demo-labview`: the published VI, emulated, at work round the drop-in on the simulated STM."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

from tqdm import tqdm

from dkl_core.cli import common
from dkl_core.cli.common import made_folder
from dkl_core.errors import InputError
from labview_bridge.emulation.demo import DemoSettings, run_demo


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = common.add_command(
        commands,
        "demo-labview",
        "the published LabVIEW VI, emulated, round the drop-in on a simulated STM",
        "dkl demo-labview --out demo_labview",
    )
    usual = DemoSettings()
    parser.add_argument("--out", default="demo_labview", metavar="FOLDER", help="where to write")
    parser.add_argument("--seed", type=int, default=usual.seed, metavar="S", help="of sample, noise, sites and faults")
    parser.add_argument("--iterations", type=int, default=usual.iterations, metavar="N", help="as on the VI's panel")
    parser.add_argument(
        "--deadline", type=float, default=usual.deadline_s, metavar="S", help="for a decision, s (default 3)"
    )
    parser.add_argument("--wait", type=float, default=usual.wait_s, metavar="S", help="at each point, s (default 0.4)")
    parser.add_argument(
        "--faults", type=float, default=usual.faults, metavar="SHARE", help="of the calls, 0 to 1 (default 0.06)"
    )
    return parser


def run(args: argparse.Namespace) -> None:
    """Run the VI, draw, and say how it did."""
    times = args.deadline > 0 and args.wait >= 0
    if args.seed < 0 or args.iterations < 1 or not 0 <= args.faults <= 1 or not times:
        raise InputError(
            f"--seed {args.seed} --iterations {args.iterations} --faults {args.faults:g} --deadline {args.deadline:g} "
            f"--wait {args.wait:g} cannot be used; give a seed of 0 or more, 1 iteration or more, a share of 0 to 1, "
            "a deadline above 0 and a wait of 0 or more"
        )
    folder = made_folder(args.out)
    settings = DemoSettings(args.seed, args.iterations, args.faults, args.wait, args.deadline)
    print(
        "the published VI, emulated: it writes its text files, calls the drop-in through an emulated Python Node and\n"
        "looks at no error; a simulated STM lies under the tip, and now and then something goes wrong"
    )
    # A run is one folder: files of an earlier demonstration would be taken for its own.
    work = folder / "vi"
    shutil.rmtree(work, ignore_errors=True)
    with tqdm(total=args.iterations + 1, unit="site", disable=args.quiet) as bar:
        done = run_demo(settings, work, lambda _: bar.update() and None)
    from labview_bridge.emulation.demo_figure import draw

    picture = folder / "run.png"
    draw(done, picture)
    result = done.result()
    _print(result, work, picture)
    common.write_json(args.json, [result])


def _print(result: dict[str, Any], work: Path, picture: Path) -> None:
    print(
        f"measured {result['measured']} of {result['sites']} sites under Python {result['python']}; the model chose "
        f"{result['model']}; {result['faults']} faults; tip {result['off_site']} times at a place that is no site"
    )
    print(
        f"vacancies found: {result['found']} of {result['in_frame']} (as many sites at random: "
        f"{result['found_at_random']:.1f}); on a vacancy after the seeds: {100 * result['share_on_kind']:.0f} % "
        f"(at random: {100 * result['share_on_kind_at_random']:.1f} %)"
    )
    print(
        f"the VI waited {1000 * result['median_s']:.0f} ms for a decision (median), {result['first_s']:.1f} s for the "
        f"first, {result['worst_s']:.1f} s for the longest"
    )
    print(f"the VI's files, journal and settings: {work}\nfigure: {picture}")
