from __future__ import annotations

import json
from pathlib import Path

import pytest

from dkl_core.cli.common import surrogate_of
from dkl_core.cli.main import _parser
from dkl_core.record import read_run
from dkl_core.surrogate.settings import MODELS, SurrogateSettings
from tests.cli.conftest import Command

SMALL = ("--target", "scalar_slope", "--window", 6, "--stride", 2)
RUN = (*SMALL, "--budget", 14, "--seeds-init", 8, "--baselines", "")


def chosen(*words: str) -> SurrogateSettings:
    return surrogate_of(_parser("replay").parse_args(["replay", "file.npz", *words]), "dkl")


def test_the_options_choose_the_model() -> None:
    assert chosen() == SurrogateSettings()
    assert chosen("--pretrain", "autoencoder") == MODELS["dkl-autoencoder"]
    assert chosen("--pretrain", "autoencoder", "--pretrained", "finetuned") == MODELS["dkl-autoencoder-finetuned"]
    assert chosen("--pretrain", "pca") == MODELS["dkl-pca-finetuned"]
    assert chosen("--pretrain", "invariant", "--pretrained", "frozen") == MODELS["dkl-invariant"]


def test_a_replay_that_was_pre_trained_is_recorded_and_continued(dkl: Command, rings: Path, tmp_path: Path) -> None:
    run, out = tmp_path / "run.h5", tmp_path / "r.json"
    words = (*RUN, "--pretrain", "autoencoder", "--json", out)
    assert dkl("replay", rings, *words, "--out", run)[0] == 0
    with read_run(run) as contents:
        kept = contents.header.settings["experiment"]["surrogate"]
    assert (kept["pretrain"], kept["pretrained"]) == ("autoencoder", "frozen")
    whole = tmp_path / "whole.json"
    assert dkl("replay", rings, *words[:-1], whole, "--budget", 17)[0] == 0
    assert dkl("resume", run, "--budget", 17, "--json", out)[0] == 0
    longer, (uninterrupted,) = json.loads(out.read_text())["results"][0], json.loads(whole.read_text())["results"]
    assert longer["sites"] == uninterrupted["sites"]


def test_models_are_evaluated_side_by_side(dkl: Command, rings: Path, tmp_path: Path) -> None:
    out = tmp_path / "e.json"
    models = "dkl,linear,dkl-autoencoder-finetuned"
    words = (*SMALL, "--train-count", 40, "--models", models, "--pretrain", "pca", "--json", out)
    status, printed, _ = dkl("evaluate", rings, *words)
    assert status == 0
    assert [one["model"] for one in json.loads(out.read_text())["results"]] == models.split(",")
    table = printed.splitlines()[-4:]
    assert [line.split()[0] for line in table] == ["model", *models.split(",")]
    assert len({len(line) for line in table}) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--pretrained", "frozen"), "name one with --pretrain"),
        (("--pretrain", "none", "--pretrained", "finetuned"), "name one with --pretrain"),
        (("--pretrain", "pca", "--pretrained", "frozen"), "choose pretrained 'finetuned'"),
        (("--pretrain", "autoencoder", "--models", "linear"), "about the model dkl, which --models does not hold"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    dkl: Command, rings: Path, words: tuple[str, ...], message: str
) -> None:
    status, _, error = dkl("evaluate", rings, *SMALL, *words)
    assert status == 1
    assert message in error
