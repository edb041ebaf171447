"""`dkl demo --zoom`: an experiment that goes on in smaller and smaller frames of the simulated surface."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from dkl_core.cli import common, simulated
from dkl_core.cli.figures import figure_of
from dkl_core.errors import InputError
from dkl_core.frame import Frame
from dkl_core.sample import SimulatedSTM
from dkl_core.zoom import (
    LevelProgress,
    MultiscaleResult,
    ZoomLevel,
    ZoomRules,
    ZoomSize,
    resume_multiscale,
    run_multiscale,
    stored_host,
)

# What a model says of sites far apart is not wrong in the same way everywhere, which the default of 1 assumes.
RULES = ZoomRules(sigmas=0.5)


def run(args: argparse.Namespace) -> None:
    """Measure level by level and compare each with measuring at random."""
    sizes = [ZoomSize.parse(text) for text in args.zoom.split(",")]
    instrument, folder = simulated.instrument_of({"seed": args.seed}), common.made_folder(args.out)
    print("a simulated STM surface: topograph and spectra, then the same in the frame where most is predicted")
    with _bars(quiet=args.quiet) as show:
        result = run_multiscale(
            instrument,
            simulated.settings_of(args),
            sizes,
            RULES,
            folder,
            host=simulated.host_of(args),
            overwrite=True,
            progress=show,
        )
    _report(result, instrument, args)


def resume(args: argparse.Namespace) -> None:
    """Go on with a run in a folder."""
    host = stored_host(args.file)
    if host.get("kind") != "demo":
        raise InputError(f"{args.file} was made by another host; resume it there (in Swift or LabVIEW)")
    if args.budget is not None:
        raise InputError(f"--budget is for one level: dkl resume {Path(args.file) / 'level0.h5'} --budget N")
    instrument = simulated.instrument_of(host)
    with _bars(quiet=args.quiet) as show:
        result = resume_multiscale(instrument, args.file, progress=show)
    _report(result, instrument, args)


@contextmanager
def _bars(*, quiet: bool) -> Iterator[Any]:
    """A progress bar for each level, moved on by what is given to it."""
    bars: dict[int, Any] = {}

    def show(at: LevelProgress) -> None:
        level = at.frame.level
        if level not in bars:
            name = f"level {level}, {_size(at.frame)}"
            bars[level] = tqdm(total=at.at.budget, desc=name, unit="site", disable=quiet)
        common.show_progress(bars[level], at.at)

    try:
        yield show
    finally:
        for bar in bars.values():
            bar.close()


def _report(result: MultiscaleResult, instrument: SimulatedSTM, args: argparse.Namespace) -> None:
    results: list[Mapping[str, Any]] = [_level(level, instrument) for level in result.levels]
    print(f"ended after level {len(results) - 1}: {result.reason}")
    common.write_json(args.json, results)


def _level(level: ZoomLevel, instrument: SimulatedSTM) -> dict[str, Any]:
    """Draw a level, print it, and give its facts."""
    assert level.path is not None
    experiment, frame, picture = level.experiment, level.frame, level.path.with_suffix(".png")
    truth = instrument.truth(experiment.sites, level.survey)
    following = None if level.decision is None else level.decision.frame
    figure_of(
        experiment,
        simulated.TARGET,
        str(picture),
        title=f"dkl demo, level {frame.level}: {_size(frame)}",
        hits=simulated.hits_of(experiment, truth),
        next_frame=following,
    )
    result = simulated.result_of(experiment, truth, level.reason) | {
        "level": frame.level,
        "centre_nm": frame.centre_nm,
        "size_nm": frame.size_nm,
        "true_mean": float(np.nanmean(truth)),
        "decision": None if level.decision is None else level.decision.reason,
    }
    _print(result, level, picture)
    return result


def _print(result: dict[str, Any], level: ZoomLevel, picture: Path) -> None:
    row, col = level.frame.centre_nm
    print(
        f"level {result['level']}: {_size(level.frame)} round row {row:.1f} nm, column {col:.1f} nm; "
        f"true {simulated.TARGET} on average {result['true_mean']:.4f}"
    )
    print(
        f"  measured {result['measured']} of {result['n_sites']} sites ({result['failed']} failed); after seeding "
        f"{100 * result['hit_rate']:.0f} % hit the best 5 % of this frame "
        f"(at random: {100 * result['random_hit_rate']:.0f} %)"
    )
    if level.decision is not None:
        print(f"  {'zoom' if level.decision.frame else 'no zoom'}: {level.decision.reason}")
    print(f"  run file: {level.path}, figure: {picture}")


def _size(frame: Frame) -> str:
    return f"{frame.size_nm[0]:g} x {frame.size_nm[1]:g} nm"
