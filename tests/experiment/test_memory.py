from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import dkl_core

PACKAGE = Path(next(iter(dkl_core.__path__))).resolve().parent


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell a process's peak memory this way")
def test_patterns_stay_on_the_disk_while_they_are_told_and_when_they_are_resumed(tmp_path: Path) -> None:
    script = Path(__file__).with_name("large_patterns.py")
    result = subprocess.run(
        [sys.executable, "-W", "error", str(script), "200"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(PACKAGE)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    raw, memory, longest = map(float, result.stdout.split())
    assert raw > 100e6
    assert memory < raw / 2
    assert longest < 5.0
