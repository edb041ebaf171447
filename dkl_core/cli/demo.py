"""`dkl demo`: a complete experiment on an embedded simulated surface."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from dkl_core.cli import common
from dkl_core.cli.figures import figure_of
from dkl_core.errors import RecordError
from dkl_core.experiment import ExperimentSettings, Progress, RecordedExperiment, SeedSettings, StopRules
from dkl_core.experiment import run as drive
from dkl_core.goal import Goal
from dkl_core.patches import PatchSettings
from dkl_core.replay import simple_regret, top_sites
from dkl_core.sample import SimulatedSTM, SurfaceSettings
from dkl_core.survey import FloatArray

TARGET = "in-gap ratio"
_PATCHES = PatchSettings(window=20, stride=5, levelling="steps")


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = common.add_command(
        commands,
        "demo",
        "a complete experiment on a simulated surface, with figure and run file",
        "dkl demo --out demo_run",
    )
    parser.add_argument("--out", default="demo_run", metavar="FOLDER", help="where to write (default demo_run)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="seed of surface and experiment (default 0)")
    common.add_decision_options(parser, budget=100)
    common.add_device_option(parser)
    return parser


def run(args: argparse.Namespace) -> None:
    """Make the surface, measure, write, and compare with measuring at random."""
    folder = Path(args.out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordError(
            f"the folder {folder} cannot be made ({error.strerror}); choose another with --out"
        ) from error
    instrument = instrument_of({"seed": args.seed})
    settings = ExperimentSettings(
        patches=_PATCHES,
        surrogate=common.surrogate_of(args, "dkl"),
        acquisition=common.acquisition_of(args),
        goal=Goal.parse(args.goal),
        seeds=SeedSettings(args.seeds_init),
        stop=StopRules(args.budget),
        seed=args.seed,
    )
    print("a simulated STM surface: topograph first, then a dI/dV spectrum at each site that the model asks for")
    path, picture = folder / "run.h5", folder / "run.png"
    host = {"kind": "demo", "seed": args.seed, "target": TARGET}
    with (
        RecordedExperiment.start(path, instrument.image(), settings, host=host, overwrite=True) as recorded,
        tqdm(total=args.budget, unit="site", disable=args.quiet) as bar,
    ):
        experiment = recorded.experiment
        reason = drive(experiment, instrument, progress=lambda at: show_progress(bar, at))
        truth = instrument.truth(experiment.sites)
        top = top_sites(truth, settings.goal)
        chosen = [entry.site.index for entry in experiment.told]
        figure_of(experiment, TARGET, str(picture), title="dkl demo", hits=top[chosen])
        result = _result(recorded, truth, top, reason)
    _print(result, path, picture)
    common.write_json(args.json, [result])


def show_progress(bar: Any, at: Progress) -> None:
    """Move a progress bar on."""
    if at.best is not None:
        bar.set_postfix_str(f"best {at.best.measurement.scalar.value:.4g}", refresh=False)
    bar.update(at.measured - bar.n)


def _result(recorded: RecordedExperiment, truth: FloatArray, top: Any, reason: str) -> dict[str, Any]:
    experiment = recorded.experiment
    seeds = experiment.settings.seeds.count
    chosen = np.array([entry.site.index for entry in experiment.told])
    prediction, surrogate = experiment.predict(), experiment.surrogate
    left = np.setdiff1d(np.arange(len(truth)), chosen)
    map_r = np.nan if prediction is None else float(np.corrcoef(prediction.mean[left], truth[left])[0, 1])
    return {
        "method": "dkl",
        "n_sites": len(truth),
        "measured": len(chosen),
        "failed": sum(not entry.measurement.ok for entry in experiment.told),
        "hit_rate": float(top[chosen[seeds:]].mean()) if len(chosen) > seeds else np.nan,
        "random_hit_rate": float(top.mean()),
        "regret": simple_regret(truth, truth[chosen], experiment.settings.goal),
        "map_correlation": map_r,
        "structure_share": np.nan if surrogate is None else surrogate.judgement.structure_share,
        "stop_reason": reason,
    }


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


def instrument_of(host: dict[str, Any]) -> SimulatedSTM:
    """The instrument of a demo that is resumed."""
    return SimulatedSTM(SurfaceSettings(seed=int(host["seed"])))
