from __future__ import annotations

import numpy as np
import pytest
import torch

from dkl_core.discovery.descriptors import Descriptor
from dkl_core.discovery.discover import Discovery
from dkl_core.discovery.invariant import InvariantDecomposition
from dkl_core.discovery.planted import turned_molecules
from dkl_core.discovery.settings import DiscoverySettings
from dkl_core.errors import InputError
from dkl_core.representation.rvae import InvariantSettings, angle_agreement, as_pictures, moved
from dkl_core.survey import SurveyImage

pytestmark = pytest.mark.usefixtures("one_thread")
QUICK = InvariantSettings(epochs=12, starts=2, rate=5e-3, batch=32, angles=12)


def test_pictures_are_turned_counter_clockwise_and_shifted() -> None:
    picture = torch.zeros(1, 21, 21)
    picture[0, 10, 16] = 1.0
    turned = moved(picture, torch.tensor([np.pi / 2]))[0]
    assert np.unravel_index(int(turned.argmax()), (21, 21)) == (4, 10)
    shifted = moved(picture, torch.zeros(1), torch.tensor([[-4 / 21, 6 / 21]]))[0]
    assert np.unravel_index(int(shifted.argmax()), (21, 21)) == (13, 14)


def test_known_rotations_are_recovered() -> None:
    pictures, angles, _ = turned_molecules(200, np.random.default_rng(0))
    patch = Descriptor("patch", 20, offset=float(pictures.min()))
    shares: list[float] = []
    found = InvariantDecomposition.learn(patch.describe(pictures), patch, QUICK, shares.append)
    encoded = found.encode(patch.describe(pictures))
    assert abs(np.exp(1j * (encoded.angle - angles)).mean()) > 0.95
    assert found.verdict.converged(0)
    assert found.verdict.explained > 0.5
    assert found.components.shape == (2, 20, 20)
    assert (len(shares), shares[-1]) == (24, 1.0)
    turned = found.encode(patch.describe(pictures[:, ::-1, ::-1]))
    difference = turned.angle - encoded.angle
    assert np.abs(np.exp(1j * difference).mean() + 1) < 0.1


def test_what_has_no_direction_is_said_not_to_have_converged() -> None:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((120, 16, 16))
    patch = Descriptor("patch", 16, offset=float(noise.min()))
    found = InvariantDecomposition.learn(patch.describe(noise), patch, InvariantSettings(epochs=3, starts=2))
    assert not found.verdict.converged(0)
    assert found.verdict.text(0).startswith("did not converge")


def test_the_same_seed_gives_the_same_network() -> None:
    pictures, _, _ = turned_molecules(40, np.random.default_rng(0))
    patch = Descriptor("patch", 20, offset=float(pictures.min()))
    one, same = (
        InvariantDecomposition.learn(patch.describe(pictures), patch, InvariantSettings(epochs=1, starts=1))
        for _ in range(2)
    )
    np.testing.assert_array_equal(one.transform(patch.describe(pictures)), same.transform(patch.describe(pictures)))


def test_agreement_of_angles_allows_for_a_common_turn_a_mirror_and_symmetry() -> None:
    rng = np.random.default_rng(0)
    angles = rng.uniform(-np.pi, np.pi, 400)
    assert angle_agreement(angles, angles + 1.2) == pytest.approx(1)
    assert angle_agreement(angles, 0.4 - angles) == pytest.approx(1)
    assert angle_agreement(angles, angles + rng.integers(3, size=400) * 2 * np.pi / 3) == pytest.approx(1)
    assert angle_agreement(angles, rng.uniform(-np.pi, np.pi, 400)) < 0.2


def test_large_windows_are_brought_to_the_edge_of_the_network() -> None:
    pictures = as_pictures(np.random.default_rng(0).standard_normal((5, 33, 33)))
    assert pictures.shape == (5, 20, 20)
    assert float(pictures.std()) == pytest.approx(1, abs=1e-3)


def test_training_can_be_cancelled() -> None:
    image = np.random.default_rng(0).standard_normal((64, 64))

    def stop(share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Discovery.begin(SurveyImage(image), DiscoverySettings("patch-rvae", window=8, stride=8), stop)


def test_what_cannot_be_trained_is_refused() -> None:
    patch = Descriptor("patch", 20)
    with pytest.raises(InputError, match="8 or more"):
        InvariantDecomposition.learn(np.zeros((7, 400)), patch, QUICK)
    with pytest.raises(InputError, match="look the same"):
        InvariantDecomposition.learn(np.ones((9, 400)), patch, QUICK)
    with pytest.raises(InputError, match="1 or more"):
        InvariantSettings(epochs=0)
    with pytest.raises(InputError, match=r"shift is 0\.5"):
        InvariantSettings(shift=0.5)
