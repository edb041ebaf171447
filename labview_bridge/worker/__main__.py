"""`python -m labview_bridge.worker RUNS`: what the client starts."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dkl_core.experiment import Experiment, ExperimentSettings, SeedSettings, StopRules
from dkl_core.patches import PatchSettings
from dkl_core.survey import SurveyImage
from labview_bridge.worker.methods import Method, published_methods
from labview_bridge.worker.place import AlreadyServedError, Place
from labview_bridge.worker.server import Server
from labview_bridge.worker.sessions import Sessions

SERVED_ALREADY = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Serve a runs folder until it is idle.

    Args:
        argv: the words after the module's name; those of the process if None.

    Returns:
        Exit status: 0 after an orderly end, 3 where another worker serves the folder.
    """
    args = _arguments(argv)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        with Place(args.runs) as place:
            _serve(place, args)
    except AlreadyServedError as error:
        logging.info("%s", error)
        return SERVED_ALREADY
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m labview_bridge.worker")
    parser.add_argument("runs", type=Path, help="folder of the runs")
    parser.add_argument("--idle", type=float, default=3600.0, metavar="S", help="end after so long without a request")
    parser.add_argument("--no-preload", action="store_true", help="load PyTorch with the first fit, not at the start")
    return parser.parse_args(argv)


def _serve(place: Place, args: argparse.Namespace) -> None:
    warm = threading.Event()
    sessions = Sessions(place.folder, lambda client: server.is_connected(client))
    methods = {**_worker_methods(place, warm), **sessions.methods(), **published_methods()}
    server = Server(place.token, methods, args.idle, lambda: sessions.is_busy)
    signal.signal(signal.SIGTERM, lambda *_: server.stop())
    place.announce(server.port)
    logging.info("process %d serves %s on port %d", os.getpid(), place.folder, server.port)
    if not args.no_preload:
        threading.Thread(target=_warm_up, args=(warm,), name="dkl-warm", daemon=True).start()
    else:
        warm.set()
    try:
        logging.info("ended: %s", server.serve())
    finally:
        sessions.close_all()


def _warm_up(warm: threading.Event) -> None:
    """Load now what the first fit needs; while that goes on, calls may take a second."""
    import scipy.ndimage  # noqa: F401

    from dkl_core.surrogate.threads import work_in_background

    work_in_background()
    image = np.add.outer(np.arange(16.0), np.arange(16.0) ** 2)
    settings = ExperimentSettings(PatchSettings(window=4, stride=4), seeds=SeedSettings(3), stop=StopRules(4))
    experiment = Experiment(SurveyImage(image), settings)
    for value in (0.0, 1.0, 0.5):
        experiment.tell(experiment.ask()[0], value)
    experiment.ask()
    warm.set()


def _worker_methods(place: Place, warm: threading.Event) -> dict[str, Method]:
    def ping(_params: dict[str, Any], _arrays: list[Any]) -> tuple[dict[str, Any], list[Any]]:
        return {"pid": os.getpid(), "started": place.started, "warm": warm.is_set()}, []

    return {"worker.ping": ping}


if __name__ == "__main__":
    status = main()
    logging.shutdown()
    # A fit in a daemon thread can hang the interpreter's own end, and with it the process, for ever.
    os._exit(status)
