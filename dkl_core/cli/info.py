"""`dkl info`: what is in the record of a run."""

from __future__ import annotations

import argparse
from typing import Any

from dkl_core.cli import common
from dkl_core.experiment.recorded import rebuilt
from dkl_core.record import RunContents, read_run


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = common.add_command(commands, "info", "say what a run holds", "dkl info demo_run/run.h5")
    parser.add_argument("file", metavar="RUN", help="record of a run, finished or not")
    return parser


def run(args: argparse.Namespace) -> None:
    """Print a summary."""
    with read_run(args.file) as contents:
        result = summary(contents)
    for name, value in result.items():
        if name not in ("sites", "values", "settings"):
            print(f"{name:18s} {value}")
    common.write_json(args.json, [result])


def summary(contents: RunContents) -> dict[str, Any]:
    """The facts of a run as one flat mapping."""
    experiment = rebuilt(contents)
    header, fit = contents.header, contents.latest_fit
    told, best = experiment.told, experiment.best
    rows, cols = header.survey.shape
    structure = experiment.settings.structure
    judged = {} if fit is None else fit.data
    return {
        "created": header.created,
        "survey": f"{rows} x {cols} px"
        + ("" if header.survey.size_nm is None else f", {_size(header.survey.size_nm)}"),
        "n_sites": len(experiment.sites),
        "goal": str(experiment.settings.goal),
        "driven_by": "what is measured" if structure is None else structure.words,
        "acquisition": experiment.settings.acquisition.name,
        "measured": len(told),
        "failed": sum(not entry.measurement.ok for entry in told),
        "budget": experiment.settings.stop.budget,
        "revised": sum("original" in entry.measurement.details for entry in told),
        "active_s": round(experiment.elapsed, 3),
        "phase": experiment.phase,
        "stop_reason": experiment.stop_reason,
        "closed_properly": contents.closed_properly,
        "best_value": None if best is None else best.measurement.scalar.value,
        "best_position": None if best is None else (best.site.row, best.site.col),
        "structure_share": judged.get("structure_share"),
        "depth_weight": judged.get("depth_weight"),
        "sites": [entry.site.index for entry in told],
        "values": [entry.measurement.scalar.value for entry in told],
        "versions": ", ".join(f"{name} {version}" for name, version in header.versions.items()),
    }


def _size(size_nm: tuple[float, float]) -> str:
    return " x ".join(f"{length:g}" for length in size_nm) + " nm"
