"""What the worker refuses, as a code that LabVIEW can show and one line that says what would be right."""

from __future__ import annotations

from enum import IntEnum

from dkl_core.errors import InputError, RecordError, ScalarizerError


class Code(IntEnum):
    """Codes in the range that LabVIEW leaves to its users (5000 to 9999). The client holds the same numbers."""

    INPUT = 5001
    HANDLE = 5002
    JOB = 5003
    POINT = 5004
    CONFLICT = 5005
    NOT_READY = 5006
    FINISHED = 5007
    CANCELLED = 5008
    NO_IMAGE = 5009
    OUTSIDE = 5010
    RECORD = 5011
    SCALARIZER = 5012
    IN_USE = 5013
    METHOD = 5014
    WORKER = 5020
    TIMEOUT = 5021
    PROTOCOL = 5022
    REFUSED = 5023
    SETTINGS = 5024
    INTERNAL = 5030


class WorkerError(Exception):
    """A request that cannot be fulfilled.

    Attributes:
        code: what kind of problem.
        text: one line for the user.
    """

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(f"{int(code)}: {text}")
        self.code = code
        self.text = text


def as_worker_error(error: Exception) -> WorkerError:
    """Any error as a problem with a code."""
    if isinstance(error, WorkerError):
        return error
    for kind, code in ((ScalarizerError, Code.SCALARIZER), (InputError, Code.INPUT), (RecordError, Code.RECORD)):
        if isinstance(error, kind):
            return WorkerError(code, _one_line(error))
    if isinstance(error, OSError):
        return WorkerError(Code.RECORD, _one_line(error))
    return WorkerError(Code.INTERNAL, f"{type(error).__name__}: {_one_line(error)}; see worker.log in the runs folder")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
