"""`dkl resume`: go on with a run that was interrupted."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from dkl_core.cli import common, info, simulated, zoom_demo
from dkl_core.errors import InputError
from dkl_core.experiment import Instrument, RecordedExperiment
from dkl_core.experiment import run as drive
from dkl_core.record import read_run
from dkl_core.replay import RecordedInstrument
from dkl_core.survey import SurveyImage


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = common.add_command(
        commands, "resume", "go on with a run of demo or replay that was interrupted", "dkl resume demo_run/run.h5"
    )
    parser.add_argument("file", metavar="RUN", help="record of a run, or folder of one that zooms")
    parser.add_argument("--budget", type=int, metavar="N", help="another number of measurements in all")
    return parser


def run(args: argparse.Namespace) -> None:
    """Set the instrument up again and measure on."""
    if Path(args.file).is_dir():
        zoom_demo.resume(args)
        return
    with RecordedExperiment.resume(args.file) as recorded:
        experiment = recorded.experiment
        instrument = _instrument(recorded.host, experiment.survey)
        if args.budget is not None:
            experiment.change(stop=replace(experiment.settings.stop, budget=args.budget))
        if experiment.phase == "paused":
            experiment.resume()
        print(f"{len(experiment.told)} measurements are there; going on")
        budget = experiment.settings.stop.budget
        with tqdm(total=budget, initial=len(experiment.told), unit="site", disable=args.quiet) as bar:
            reason = drive(experiment, instrument, progress=lambda at: common.show_progress(bar, at))
    print(f"{len(experiment.told)} measurements; {reason}")
    if args.json is not None:
        with read_run(args.file) as contents:
            common.write_json(args.json, [info.summary(contents)])


def _instrument(host: Mapping[str, Any], survey: SurveyImage) -> Instrument:
    match host.get("kind"):
        case "demo":
            instrument = simulated.instrument_of(host)
            # The run may be one level of several, within a smaller frame.
            instrument.return_to(survey)
            return instrument
        case "replay":
            arguments = argparse.Namespace(**host["arguments"])
            return RecordedInstrument(common.problem_of(arguments))
    where = host.get("resume", "there (in Swift or LabVIEW)")
    raise InputError(f"this run was made by another host; resume it {where}, or look at it: dkl show")
