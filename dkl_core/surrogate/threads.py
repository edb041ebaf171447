"""The experts side by side, each on one thread.

The matrices here are small: splitting one over threads gains little on a quiet machine, and on a busy one, as beside a
microscope's own software, the threads wait for each other a hundred times longer than they work.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

import torch

Result = TypeVar("Result")
_WORKERS = min(4, os.cpu_count() or 1)
_here = threading.local()


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Inside the block, torch splits no operation over threads; the process's setting is put back after it."""
    before = torch.get_num_threads()
    if before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def work_in_background() -> None:
    """Make the thread that calls this one for long work: what it runs side by side keeps nobody else waiting."""
    torch.set_num_threads(1)
    _here.pool = "dkl-background"


def side_by_side(tasks: Sequence[Callable[[], Result]]) -> list[Result]:
    """Run tasks that do not touch each other's data; results in the order of the tasks.

    Raises:
        Exception: what the first failing task raised.
    """
    if len(tasks) < 2 or _WORKERS == 1:
        return [task() for task in tasks]
    pool = _pool(getattr(_here, "pool", "dkl-expert"))
    return [future.result() for future in [pool.submit(task) for task in tasks]]


@cache
def _pool(name: str) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_WORKERS, name, initializer=torch.set_num_threads, initargs=(1,))
