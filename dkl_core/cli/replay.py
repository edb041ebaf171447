"""`dkl replay`: an experiment on recorded data, beside what it must beat."""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from dkl_core.cli import common
from dkl_core.cli.figures import figure_of
from dkl_core.experiment import RecordedExperiment, StructureSettings
from dkl_core.goal import Goal
from dkl_core.replay import BASELINES, Replay, ReplayProblem, replay
from dkl_core.replay.methods import Prepared, Step


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = common.add_command(
        commands,
        "replay",
        "replay an experiment on recorded data",
        "dkl replay Figure3_large_area_250nm.hf5 --budget 100 --baselines random,raster --figure replay.png",
    )
    common.add_data_options(parser)
    common.add_decision_options(parser, budget=100)
    parser.add_argument(
        "--baselines",
        default="random",
        metavar="NAMES",
        help=f"methods run beside it, from {', '.join(BASELINES)}; comma-separated (default random, '' for none)",
    )
    common.add_pretraining_options(parser)
    parser.add_argument(
        "--structure",
        metavar="WORKFLOW",
        help="go where the image is unusual by this workflow (fft-pca, patch-nmf, …) or by a saved target (.npz)",
    )
    parser.add_argument("--out", metavar="RUN.h5", help="record the first repeat of dkl in this file")
    parser.add_argument("--overwrite", action="store_true", help="replace the file of --out")
    parser.add_argument("--figure", metavar="PNG", help="draw the first repeat of dkl")
    parser.add_argument("--compare", metavar="PNG", help="draw all methods' learning curves")
    return parser


def run(args: argparse.Namespace) -> None:
    """Replay, print a table, write what was asked for."""
    problem = common.problem_of(args)
    settings = common.experiment_settings(args, problem)
    if args.structure is not None:
        looked_for = StructureSettings.parse(args.structure)
        settings, problem = replace(settings, structure=looked_for), replace(problem, target=looked_for.words)
    baselines = common.names_of(args.baselines, BASELINES, "--baselines")
    methods = ["dkl", *dict.fromkeys(baselines)]
    planned = min(args.budget, len(problem.patches))
    replays: list[Replay] = []
    with tqdm(total=planned * len(methods) * args.repeats, unit="site", disable=args.quiet) as bar:

        def step(method: str, measured: int) -> None:
            bar.set_postfix_str(f"{method} {measured}/{planned}", refresh=False)
            bar.update()

        def prepared(method: str, share: float) -> None:
            bar.set_postfix_str(f"{method} learns from all patches, {share:.0%}")

        for repeat in range(args.repeats):
            for method in methods:
                record = args.out is not None and method == "dkl" and repeat == 0
                if record:
                    replays.append(_recorded(args, problem, settings, step, prepared))
                else:
                    replays.append(replay(problem, settings, method, repeat, step=step, prepared=prepared))
    for notice in dict.fromkeys(text for one in replays for text in one.experiment.structure_notices):
        print(f"note: {notice}")
    _print_table(replays, methods, problem, Goal.parse(args.goal))
    if args.figure is not None:
        figure_of(replays[0].experiment, problem.target, args.figure, hits=replays[0].hits)
        print(f"figure: {args.figure}")
    if args.compare is not None:
        _compare(replays, methods, problem.target, args)
    common.write_json(args.json, [_result(one, problem) for one in replays])


def _recorded(
    args: argparse.Namespace, problem: ReplayProblem, settings: Any, step: Step, prepared: Prepared
) -> Replay:
    positions = None if problem.on_grid else problem.patches.sites.positions
    arguments = {name: value for name, value in vars(args).items() if name not in ("run", "json", "command")}
    host = {
        "kind": "replay",
        "target": problem.target,
        "arguments": arguments | {"file": str(Path(args.file).resolve())},
    }
    with RecordedExperiment.start(
        args.out, problem.survey, settings, positions=positions, host=host, overwrite=args.overwrite
    ) as recorded:
        return replay(problem, settings, "dkl", 0, step=step, prepared=prepared, experiment=recorded.experiment)


def _result(one: Replay, problem: ReplayProblem) -> Mapping[str, Any]:
    times = one.decision_ms
    median, p95 = (float(np.percentile(times, q)) for q in (50, 95)) if len(times) else (None, None)
    return {
        "method": one.method,
        "repeat": one.repeat,
        "target": problem.target,
        "n_sites": len(problem.patches),
        "seeds": one.seeds,
        "sites": one.sites,
        "positions": problem.patches.sites.positions[one.sites],
        "values": one.values,
        "hit_rate": one.hit_rate,
        "regret": one.regret,
        "r2": one.fit.r2,
        "nlpd": one.fit.nlpd,
        "coverage90": one.fit.coverage90,
        "decision_ms": [median, p95],
        "decision_ms_median": median,
        "decision_ms_p95": p95,
        "stop_reason": one.stop_reason,
    }


def _print_table(replays: list[Replay], methods: list[str], problem: ReplayProblem, goal: Goal) -> None:
    print(f"{len(problem.patches)} sites, {goal} {problem.target}; means over {len(replays) // len(methods)} repeats")
    width = max(10, *(len(method) for method in methods))
    print(f"{'method':{width}s} {'hit rate':>9s} {'regret':>11s} {'R2':>7s} {'cover 90':>9s} {'decision, ms':>13s}")
    grouped = defaultdict(list)
    for one in replays:
        grouped[one.method].append(one)
    for method, group in grouped.items():
        times = np.concatenate([one.decision_ms for one in group])
        speed = f"{np.median(times):13.1f}" if len(times) else f"{'-':>13s}"
        rows = np.array([(one.hit_rate, one.regret, one.fit.r2, one.fit.coverage90) for one in group])
        hit, regret, r2, cover = rows.mean(axis=0)
        print(f"{method:{width}s} {hit:9.3f} {regret:11.4g} {r2:7.3f} {cover:9.3f} {speed}")


def _compare(replays: list[Replay], methods: list[str], target: str, args: argparse.Namespace) -> None:
    from dkl_core.report import MethodRuns, RunLabels, baseline_figure, best_so_far, save_figure

    goal = Goal.parse(args.goal)
    direction = "reach" if goal.direction == "target" else goal.direction
    runs = []
    for method in methods:
        group = [one for one in replays if one.method == method]
        length = min(len(one.values) for one in group)
        best = np.stack([best_so_far(one.values[:length], direction, goal.value) for one in group])
        rates = np.stack([np.cumsum(one.hits[:length]) / np.arange(1, length + 1) for one in group])
        runs.append(MethodRuns(method, best, rates))
    figure = baseline_figure(runs, seeds=args.seeds_init, labels=RunLabels(target=target))
    save_figure(figure, args.compare)
    print(f"comparison: {args.compare}")
