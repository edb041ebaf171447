"""`dkl evaluate`: how well the model predicts recorded scalars it has not seen."""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
from tqdm import tqdm

from dkl_core.cli import common
from dkl_core.errors import InputError
from dkl_core.replay import Evaluation, evaluate_model
from dkl_core.surrogate.settings import MODELS


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = common.add_command(
        commands,
        "evaluate",
        "learn from a random part of recorded data and predict the rest",
        "dkl evaluate Figure5_Substitution_defect_5nm.hf5 --repeats 3 --models dkl,position,pca",
    )
    common.add_data_options(parser)
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--train-fraction", type=float, default=0.5, metavar="F", help="share learned from (default 0.5)")
    part.add_argument("--train-count", type=int, metavar="N", help="number learned from")
    parser.add_argument(
        "--models", default="dkl", metavar="NAMES", help=f"from {', '.join(MODELS)}; comma-separated (default dkl)"
    )
    common.add_pretraining_options(parser)
    parser.add_argument("--figure", metavar="PNG", help="draw the first repeat of the first model")
    return parser


def run(args: argparse.Namespace) -> None:
    """Evaluate, print a table, write what was asked for."""
    models = common.names_of(args.models, MODELS, "--models")
    if not models:
        raise InputError(f"--models is empty; name at least one of {', '.join(MODELS)}")
    if args.train_count is None and not 0 < args.train_fraction < 1:
        raise InputError(f"--train-fraction is {args.train_fraction}; give a share between 0 and 1")
    if args.pretrain is not None and "dkl" not in models:
        raise InputError("--pretrain is about the model dkl, which --models does not hold; add it there")
    problem = common.problem_of(args, repeats=True)
    train = args.train_fraction if args.train_count is None else args.train_count
    tasks = [(repeat, name) for repeat in range(args.repeats) for name in models]
    results = [
        evaluate_model(problem, name, common.surrogate_of(args, name), repeat, args.seed, train)
        for repeat, name in tqdm(tasks, unit="fit", disable=args.quiet)
    ]
    _print_table(results, problem.target)
    if args.figure is not None:
        _figure(results[0], problem.target, args.figure)
    common.write_json(args.json, [_result(one) for one in results])


def _result(one: Evaluation) -> Mapping[str, Any]:
    return {
        "model": one.model,
        "repeat": one.repeat,
        "n_train": one.trained,
        "n_test": one.tested,
        "r2": one.fit.r2,
        "nlpd": one.fit.nlpd,
        "coverage90": one.fit.coverage90,
        "structure_share": one.structure_share,
        "depth_weight": one.depth_weight,
        "fit_s": one.fit_s,
    }


def _print_table(results: list[Evaluation], target: str) -> None:
    first = results[0]
    print(f"{target}: learned from {first.trained}, predicted {first.tested}; means over the repeats")
    width = max(10, *(len(one.model) for one in results))
    print(
        f"{'model':{width}s} {'R2':>7s} {'NLPD':>7s} {'cover 90':>9s} {'structure':>10s} {'depth':>6s} {'fit, s':>7s}"
    )
    grouped = defaultdict(list)
    for one in results:
        grouped[one.model].append(one)
    for model, group in grouped.items():
        r2, nlpd, cover, share, depth, seconds = np.mean(
            [
                (one.fit.r2, one.fit.nlpd, one.fit.coverage90, one.structure_share, one.depth_weight, one.fit_s)
                for one in group
            ],
            axis=0,
        )
        print(f"{model:{width}s} {r2:7.3f} {nlpd:7.3f} {cover:9.3f} {share:10.2f} {depth:6.2f} {seconds:7.2f}")


def _figure(one: Evaluation, target: str, path: str) -> None:
    from dkl_core.report import EvaluationFigureData, RunLabels, evaluation_figure, save_figure

    labels = RunLabels(target=target, title=f"{one.model}: {one.trained} learned from, {one.tested} predicted")
    save_figure(evaluation_figure(EvaluationFigureData(one.truth, one.mean, one.std, labels)), path)
    print(f"figure: {path}")
