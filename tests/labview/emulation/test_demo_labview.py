"""`dkl demo-labview`: the emulated VI at work, with its figure and its figures."""

from __future__ import annotations

import argparse
import json

import numpy as np
import pytest

from dkl_core.cli.installed import declare
from dkl_core.errors import InputError
from labview_bridge.emulation import commands
from labview_bridge.emulation.demo import distinct


def run(*words):
    parser = argparse.ArgumentParser()
    declare(commands, parser.add_subparsers())
    args = parser.parse_args(["demo-labview", "--quiet", *(str(word) for word in words)])
    args.run(args)


def test_the_demo_finds_vacancies_and_never_leaves_the_sites(tmp_path, capsys):
    out, result = tmp_path / "demo", tmp_path / "r.json"
    run("--out", out, "--iterations", 34, "--faults", 0, "--deadline", 200, "--wait", 0, "--json", result)
    found = json.loads(result.read_text())["results"][0]
    assert (found["measured"], found["off_site"], found["errors"], found["model"]) == (35, 0, 0, 15)
    assert found["share_on_kind"] > 4 * found["share_on_kind_at_random"]
    assert found["found"] > 2 * found["found_at_random"]
    assert (out / "run.png").stat().st_size > 50_000
    printed = capsys.readouterr().out
    assert "tip 0 times at a place that is no site" in printed
    assert str(out / "run.png") in printed


@pytest.mark.parametrize("wrong", [("--seed", -1), ("--iterations", 0), ("--faults", 2), ("--deadline", 0)])
def test_options_that_cannot_be_used_are_refused(tmp_path, wrong):
    with pytest.raises(InputError, match="cannot be used"):
        run("--out", tmp_path, *wrong)


def test_a_defect_counts_once_and_no_defect_never():
    assert distinct(np.array([-1, 3, 3, -1, 5, 3])).tolist() == [0, 1, 1, 1, 2, 2]
    assert distinct(np.zeros(0, dtype=np.intp)).tolist() == []
