from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Command


def test_the_demo_measures_writes_and_beats_chance(dkl: Command, tmp_path: Path) -> None:
    out = tmp_path / "d.json"
    status, printed, _ = dkl("demo", "--out", tmp_path / "demo", "--budget", 50, "--json", out)
    result = json.loads(out.read_text())["results"][0]
    assert status == 0
    assert result["measured"] == 50
    assert result["hit_rate"] > 4 * result["random_hit_rate"]
    assert (tmp_path / "demo" / "run.png").stat().st_size > 50_000
    assert "run file" in printed
    assert dkl("resume", tmp_path / "demo" / "run.h5", "--budget", 52)[0] == 0
