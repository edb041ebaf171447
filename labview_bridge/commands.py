"""`dkl import-journal`: the record of a run that LabVIEW drove, from its journal."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from dkl_core.cli import common
from labview_bridge.worker.importing import import_journal


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = common.add_command(
        commands,
        "import-journal",
        "write the record of a run that LabVIEW drove, from its journal",
        "dkl import-journal runs/gold_1/journal.jsonl --out gold_1.h5",
    )
    parser.add_argument("journal", metavar="JOURNAL", help="journal.jsonl, or the folder of the run; it may be in use")
    parser.add_argument("--out", required=True, metavar="RUN", help="file to write, ending in .h5")
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there")
    return parser


def run(args: argparse.Namespace) -> None:
    """Convert, and say what was written."""
    written = import_journal(args.journal, Path(args.out), overwrite=args.overwrite)
    for number, path in enumerate(written, 1):
        print(f"frame {number}: {path}")
    common.write_json(args.json, [{"frame": number, "record": str(path)} for number, path in enumerate(written, 1)])
