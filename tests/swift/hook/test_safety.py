"""Whatever ends the program ends the exposure."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from nionswift_plugin.dkl.acquisition.safety import ExitGuard

REPOSITORY = Path(__file__).resolve().parents[3]
PROGRAM = """
    import sys, threading, time
    from nionswift_plugin.dkl.acquisition.beam import Beam
    from nionswift_plugin.dkl.acquisition.safety import ExitGuard
    from nionswift_plugin.dkl.acquisition.settings import BeamSettings
    from tests.swift.hook.fakes import FakeStem, as_stem

    class Told(FakeStem):
        def SetValAndConfirm(self, name, value, tolerance, timeout_ms):
            print("blanked" if value else "open", flush=True)
            return super().SetValAndConfirm(name, value, tolerance, timeout_ms)

    beam = Beam(as_stem(Told()), BeamSettings())
    guard = ExitGuard(beam.shut)
    guard.arm()
    ready = threading.Event()

    def work():
        with beam.on_sample(lambda seconds: None):
            ready.set()
            for _ in range(100):
                time.sleep(0.05)
                if beam.is_closed:
                    return

    threading.Thread(target=work, daemon={daemon}).start()
    ready.wait()
    {end}
"""
ENDS = {"returns": "pass", "exits": "sys.exit(3)", "raises": "raise RuntimeError('oh')"}


@pytest.mark.parametrize(("end", "daemon"), [("returns", False), ("exits", True), ("raises", False)])
def test_the_beam_is_blanked_when_the_interpreter_exits(end: str, daemon: bool) -> None:
    program = textwrap.dedent(PROGRAM).format(daemon=daemon, end=ENDS[end])
    run = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, timeout=20)
    switched = run.stdout.split()
    assert switched[0] == "open", run.stderr
    assert switched[-1] == "blanked"
    assert switched.count("open") == 1


def test_a_disarmed_guard_does_nothing() -> None:
    called: list[int] = []
    guard = ExitGuard(lambda: called.append(1))
    guard.arm()
    guard.disarm()
    guard.disarm()
    assert not called


def test_disarming_ends_the_watching_thread() -> None:
    guard = ExitGuard(lambda: None)
    guard.arm()
    watcher = guard._watcher
    assert watcher is not None
    guard.disarm()
    assert not watcher.is_alive()
