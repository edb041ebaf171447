"""The methods that a worker answers: `worker.*`, `session.*` and, where the drop-in is installed, `published.*`."""

from __future__ import annotations

import importlib
import importlib.util
import logging
from collections.abc import Callable, Mapping
from typing import Any

from labview_bridge.worker.problems import Code, WorkerError
from labview_bridge.worker.protocol import FloatArray

Method = Callable[[dict[str, Any], list[FloatArray]], tuple[dict[str, Any], list[FloatArray]]]
PUBLISHED = "labview_bridge.worker.published"
_log = logging.getLogger(__name__)


def published_methods() -> Mapping[str, Method]:
    """The methods of the drop-in; none where its module is not there.

    One that is there and cannot be loaded answers every call with the reason.
    """
    if importlib.util.find_spec(PUBLISHED) is None:
        return {}
    try:
        methods: Mapping[str, Method] = importlib.import_module(PUBLISHED).METHODS
    except Exception as error:  # noqa: BLE001 - the second generation must go on whatever the drop-in's module does
        _log.exception("the drop-in cannot be loaded")
        reason = f"{type(error).__name__}: {error}"
        return {name: _broken(reason) for name in ("published.suggest", "published.scalarize")}
    return methods


def _broken(reason: str) -> Method:
    def refuse(_params: dict[str, Any], _arrays: list[FloatArray]) -> tuple[dict[str, Any], list[FloatArray]]:
        raise WorkerError(Code.INTERNAL, f"the drop-in cannot be loaded: {reason}; see worker.log")

    return refuse
