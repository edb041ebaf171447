from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell a process's peak memory this way")
def test_raw_data_is_never_in_memory_all_at_once(
    run_script: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    result = run_script("large_run.py", 250)
    assert (result.returncode, result.stderr) == (0, "")
    recorded, memory = map(int, result.stdout.split())
    assert recorded > 125e6
    assert memory < recorded / 2
