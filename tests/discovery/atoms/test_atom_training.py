from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dkl_core.discovery.atoms.network import AtomNetwork
from dkl_core.discovery.atoms.retrain import Change, RetrainSettings, labelled, retrained
from dkl_core.discovery.atoms.scenes import Conditions, Scene, scene
from dkl_core.discovery.atoms.train import TrainSettings, examples, loss_of, trained
from dkl_core.discovery.atoms.validate import Judged, judged
from dkl_core.discovery.atoms.weights import SHIPPED, load_network, save_weights
from dkl_core.errors import DataFileError, InputError

pytestmark = pytest.mark.usefixtures("one_thread")
SHORT = TrainSettings(steps=3, batch=2, size=48)


def test_training_is_repeatable_and_learns() -> None:
    losses: list[float] = []
    one = trained(replace(SHORT, steps=16), lambda _, loss: losses.append(loss))
    assert np.mean(losses[-4:]) < 0.95 * np.mean(losses[:2])
    two = trained(replace(SHORT, steps=16))
    for first, second in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.equal(first, second)


def test_any_number_of_steps_has_a_schedule() -> None:
    for steps in (1, 2, 10):
        trained(replace(SHORT, steps=steps, batch=1, size=32))


def test_saved_weights_give_the_same_map(tmp_path: Path) -> None:
    network = trained(SHORT)
    loaded = load_network(save_weights(network, tmp_path / "weights.npz"))
    images = torch.randn(1, 1, 64, 64)
    with torch.inference_mode():
        assert torch.allclose(network(images), loaded(images), atol=0.02)


def test_the_shipped_weights_are_small_plain_and_documented() -> None:
    assert SHIPPED.stat().st_size < 4e6
    with np.load(SHIPPED, allow_pickle=False) as file:
        assert sum(file[name].size for name in file.files) < 1e6
    facts = json.loads(SHIPPED.with_suffix(".json").read_text())
    settings = TrainSettings()
    assert (facts["settings"]["steps"], facts["settings"]["seed"]) == (settings.steps, settings.seed)
    assert set(facts) == {"settings", "validation", "versions"}


def test_the_shipped_network_is_better_than_an_untrained_one() -> None:
    rng = np.random.default_rng(11)
    scenes = [scene(rng, 96, Conditions(counts=(20.0, 60.0), clean=0.0, empty=0.0)) for _ in range(6)]
    images, maps = examples(scenes, rng)
    with torch.inference_mode():
        shipped, fresh = (float(loss_of(network(images), maps)) for network in (load_network(), AtomNetwork()))
    assert shipped < 0.6 * fresh
    assert judged(load_network(), scenes).found > 0.6


def test_weights_of_something_else_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", a=np.ones(3))
    with pytest.raises(DataFileError, match=r"other\.npz holds no weights"):
        load_network(tmp_path / "other.npz")


def test_retraining_leaves_the_old_network_and_reports(graphene: Any) -> None:
    network = load_network()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    one = labelled(graphene.image[:80, :112], None)
    assert not one.given
    settings = RetrainSettings(steps=2, batch=2, size=64)
    fresh, change = retrained(network, [one], settings)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert any(not torch.equal(value, before[name]) for name, value in fresh.state_dict().items())
    assert change.before.found > 0.8
    assert change.before.columns > 20


def test_given_positions_are_used(graphene: Any) -> None:
    inside = ((graphene.atoms > 0) & (graphene.atoms < 95)).all(axis=1)
    one = labelled(graphene.image[:96, :96], graphene.atoms[inside])
    assert one.given
    assert np.array_equal(one.positions, graphene.atoms[inside])
    assert one.width == pytest.approx(1.55, rel=0.1)


def test_pieces_for_learning_keep_atoms_and_image_together(graphene: Any) -> None:
    from dkl_core.discovery.atoms.retrain import _cut

    inside = ((graphene.atoms > 0) & (graphene.atoms < 199)).all(axis=1)
    one = replace(labelled(graphene.image, graphene.atoms[inside]), noise=0.0)
    for seed in range(6):
        piece = _cut(np.random.default_rng(seed), one, 64)
        at = np.rint(piece.atoms.positions).astype(int)
        at = at[((at > 1) & (at < 62)).all(axis=1)]
        assert len(at) > 20
        assert piece.image[tuple(at.T)].mean() > 1.6 * piece.image.mean()


def test_pictures_fit_into_small_images_without_being_continued(graphene: Any) -> None:
    one = labelled(graphene.image[:72, :112], None)
    sizes: list[tuple[int, ...]] = []

    def watched(pictures: list[Scene], rng: np.random.Generator) -> Any:
        sizes.extend(picture.image.shape for picture in pictures)
        return examples(pictures, rng)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("dkl_core.discovery.atoms.retrain.examples", watched)
        retrained(load_network(), [one], RetrainSettings(steps=1, batch=2, size=256))
    assert len(set(sizes)) == 1
    assert sizes[0][0] % 8 == 0
    assert 48 <= sizes[0][0] < 256
    with pytest.raises(InputError, match="more atoms"):
        retrained(load_network(), [replace(one, width=8.0)], RetrainSettings(steps=1, batch=2))


def test_worse_weights_are_not_better() -> None:
    good, bad = Judged(100, 0.9, 0.05), Judged(100, 0.9, 0.2)
    assert not Change(good, bad, good, good).better
    assert Change(bad, good, good, good).better


@pytest.mark.parametrize(
    ("positions", "message"),
    [
        (np.zeros((0, 2)), "give \\(n, 2\\)"),
        (np.full((3, 2), np.nan), "finite numbers"),
        (np.full((3, 2), 500.0), "outside of the image"),
    ],
)
def test_positions_that_do_not_fit_are_refused(graphene: Any, positions: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        labelled(graphene.image[:96, :96], positions)
