"""`dkl swift-demo`: automated 4D-STEM on a simulated microscope, in a Nion Swift without a window."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from dkl_core.cli import common
from dkl_core.cli.common import made_folder
from dkl_core.errors import InputError
from nionswift_plugin.dkl.demo import BUDGET, DemoRun, DemoSettings, Method, run_demo

METHODS: tuple[Method, ...] = ("dkl", "random")


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = common.add_command(
        commands,
        "swift-demo",
        "automated 4D-STEM on a simulated microscope in Nion Swift, without a window",
        "dkl swift-demo --out demo_run",
    )
    parser.add_argument("--out", default="demo_run", metavar="FOLDER", help="where to write (default demo_run)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of sample, noise and experiment (default 0)")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="repeat with so many seeds (default 1)")
    parser.add_argument("--budget", type=int, default=BUDGET, metavar="N", help=f"measurements (default {BUDGET})")
    return parser


def run(args: argparse.Namespace) -> None:
    """Measure with the model and at random, compare both with the truth, write."""
    _check(args)
    logging.getLogger().setLevel(logging.WARNING)
    folder = made_folder(args.out)
    print(
        "a simulated microscope in Nion Swift: twisted bilayer graphene with silicon; a HAADF survey image first,\n"
        "then a diffraction pattern at each site that the model asks for, with noise, drift and descan"
    )
    results: list[Mapping[str, Any]] = []
    for seed in range(args.seed, args.seed + args.seeds):
        results += _once(DemoSettings.of(seed, args.budget), _home(folder, seed, args), quiet=args.quiet)
    if args.seeds > 1:
        _print_totals(results)
    common.write_json(args.json, results)


def _check(args: argparse.Namespace) -> None:
    if args.seed < 0 or args.seeds < 1 or args.budget < 2:
        raise InputError(
            f"--seed {args.seed} --seeds {args.seeds} --budget {args.budget} cannot be used; "
            "give a seed of 0 or more, 1 seed or more and 2 measurements or more"
        )


def _home(folder: Path, seed: int, args: argparse.Namespace) -> Path:
    return made_folder(str(folder / f"seed_{seed}")) if args.seeds > 1 else folder


def _once(settings: DemoSettings, folder: Path, *, quiet: bool) -> list[dict[str, Any]]:
    from nionswift_plugin.dkl.demo_figure import draw

    runs = [_run(settings, folder, method, quiet=quiet) for method in METHODS]
    draw(runs, folder / "run.png")
    results = [one.result() for one in runs]
    _print(results, runs[0], folder / "run.png")
    return results


def _run(settings: DemoSettings, folder: Path, method: Method, *, quiet: bool) -> DemoRun:
    with tqdm(total=settings.budget, unit="site", desc=method, disable=quiet) as bar:
        return run_demo(
            settings,
            folder,
            method,
            progress=lambda at: common.show_progress(bar, at),
            message=lambda news: None if news.level == "info" else bar.write(news.text),
        )


def _print(results: Sequence[Mapping[str, Any]], shown: DemoRun, picture: Path) -> None:
    dkl, random = results
    print(
        f"measured {dkl['measured']} of {dkl['n_sites']:,} sites in {dkl['seconds']:.0f} s; "
        f"{dkl['failed']} without a number; {dkl['stop_reason']}"
    )
    print(
        f"dopants found: {dkl['found']} of {dkl['dopants']} "
        f"(as many sites at random: {random['found']} of {random['dopants']})"
    )
    print(
        f"predicted |CoM| map against the truth on the sites not measured: correlation {dkl['map_correlation']:.2f} "
        f"(at random: {random['map_correlation']:.2f})"
    )
    print(
        f"dose: 1/{1 / dkl['dose_share']:.0f} of what measuring every site takes, survey and reference scans included"
    )
    print(f"run file: {shown.path}\nfigure:   {picture}")


def _print_totals(results: Sequence[Mapping[str, Any]]) -> None:
    shares = {}
    for method in METHODS:
        mine = [one for one in results if one["method"] == method]
        shares[method] = sum(one["found"] for one in mine) / max(1, sum(one["dopants"] for one in mine))
    ratio = shares["dkl"] / shares["random"] if shares["random"] else float("inf")
    print(
        f"over {len(results) // 2} seeds: {100 * shares['dkl']:.0f} % of the dopants found, at random "
        f"{100 * shares['random']:.0f} %: {ratio:.1f} times as many"
    )
