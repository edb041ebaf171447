import os
import subprocess
import sys
from pathlib import Path

import pytest

import dkl_core

SCRIPT = Path(__file__).with_name("large_image.py")
PACKAGE = Path(next(iter(dkl_core.__path__))).resolve().parent
PYTHON_AND_TORCH = 0.25e9


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="this system does not tell the peak of a process")
def test_a_decision_among_all_pixels_of_a_large_image_takes_less_than_1500_megabytes() -> None:
    environment = os.environ | {"PYTHONPATH": str(PACKAGE)}
    done = subprocess.run(
        [sys.executable, str(SCRIPT)], env=environment, capture_output=True, text=True, check=False, timeout=250
    )
    assert done.returncode == 0, done.stderr
    sites, experts, libraries, peak = (int(word) for word in done.stdout.split())
    assert sites == 512 * 512
    assert experts > 1
    # Builds of torch differ in what they take for themselves.
    assert peak - libraries + PYTHON_AND_TORCH < 1.5e9
