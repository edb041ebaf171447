"""What the drop-in says about itself: one line per call in `<Name>_status.jsonl`, and the last trouble."""

import json
import os
import time
from typing import Any, Dict, Tuple

OK, WARNING, FALLBACK, ERROR = 0, 1, 2, 3
_last: Dict[str, Any] = {"code": OK, "text": ""}


def report(folder: str, name: str, code: int, text: str, **details: Any) -> None:
    """Write a line of the status file. A status that cannot be written costs nothing but itself.

    Args:
        folder: where the VI's files are.
        name: the experiment.
        code: 0 all well, 1 something to look at, 2 another choice than the model's, 3 nothing could be decided.
        text: what happened; empty when all is well.
        **details: anything else that JSON can hold.
    """
    _last.update(code=code, text=text)
    line = dict(details, time=round(time.time(), 3), code=code, text=text)
    try:
        with open(os.path.join(folder, name + "_status.jsonl"), "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    except (OSError, ValueError):
        _last["text"] = (text + "; the status file cannot be written").lstrip("; ")
        _last["code"] = max(code, WARNING)


def last_error() -> Tuple[int, str]:
    """Code and text of the last call in this Python session; (0, "") when all was well."""
    return int(_last["code"]), str(_last["text"])
