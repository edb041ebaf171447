from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from dkl_core.errors import InputError
from dkl_core.patches import Patches, PatchSettings, make_patches
from dkl_core.representation import pretrained as module
from dkl_core.representation.autoencoder import AutoencoderSettings, trained_autoencoder
from dkl_core.representation.pretrained import Pretrained, pretrained
from dkl_core.representation.rvae import angle_agreement
from dkl_core.surrogate.features import principal_components
from dkl_core.survey import FloatArray, SurveyImage

pytestmark = pytest.mark.usefixtures("one_thread")
KINDS = ("pca", "autoencoder", "invariant")


def laid(image: FloatArray | None = None, window: int = 8, stride: int = 5) -> Patches:
    if image is None:
        image = gaussian_filter(np.random.default_rng(3).standard_normal((64, 64)), 2)
    return make_patches(SurveyImage(image), PatchSettings(window=window, stride=stride))


def stripes(angle: FloatArray, size: int) -> FloatArray:
    """Stripes that run in the direction of `angle`, radians, in each column (size,)."""
    slope = np.gradient(np.cumsum(np.sin(angle)))
    rows = np.arange(size)[:, None]
    return np.asarray(np.cos((rows + np.cumsum(slope)) * 2 * np.pi / 7))


@pytest.fixture(scope="module")
def learned() -> dict[str, Pretrained]:
    torch.set_num_threads(1)
    return {kind: pretrained(kind, laid(), 4, seed=0) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_codes_are_white_over_the_patches_they_were_learned_from(learned: dict[str, Pretrained], kind: str) -> None:
    with torch.no_grad():
        codes = learned[kind].encoder(learned[kind].inputs(np.arange(len(laid())))).numpy()
    assert codes.dtype == np.float64
    assert codes.shape == (len(laid()), 2 if kind == "invariant" else 4)
    assert np.cov(codes.T, bias=True) == pytest.approx(np.eye(codes.shape[1]), abs=1e-6)
    assert codes.mean(axis=0) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_learns_the_same_codes_whatever_torch_draws_beside_it(
    learned: dict[str, Pretrained], kind: str
) -> None:
    torch.manual_seed(77)
    before = torch.get_rng_state()
    again = pretrained(kind, laid(), 4, seed=0, progress=lambda _: None)
    assert np.array_equal(again.codes(), learned[kind].codes())
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("kind", ["autoencoder", "invariant"])
def test_another_seed_learns_others(learned: dict[str, Pretrained], kind: str) -> None:
    other = pretrained(kind, laid(), 4, seed=1).codes()[:, :2]
    assert not np.allclose(other, learned[kind].codes()[:, :2], atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_the_code_of_a_site_does_not_depend_on_the_others_asked_for(learned: dict[str, Pretrained], kind: str) -> None:
    one = learned[kind]
    with torch.no_grad():
        some = one.encoder(one.inputs(np.array([3, 40, 7]))).numpy()
    assert some == pytest.approx(one.codes()[[3, 40, 7], : some.shape[1]], abs=1e-9)


def test_principal_components_are_those_of_the_feature_table() -> None:
    ours, table = pretrained("pca", laid(), 4, seed=0).codes(), principal_components(laid(), 4)
    assert np.abs(np.corrcoef(ours.T, table.T)[:4, 4:]) == pytest.approx(np.eye(4), abs=1e-3)


def test_an_autoencoder_makes_windows_anew_better_than_their_mean_does() -> None:
    patches = laid()
    pictures = torch.as_tensor(patches.take(np.arange(len(patches))))
    pictures = (pictures - pictures.mean()) / pictures.std()
    model = trained_autoencoder(pictures, AutoencoderSettings(codes=4))
    with torch.no_grad():
        left = ((model(pictures) - pictures) ** 2).mean()
    assert left < 0.35 * ((pictures - pictures.mean(0)) ** 2).mean()


def test_the_turn_of_stripes_is_kept_beside_the_codes_and_follows_their_direction() -> None:
    angle = np.linspace(-0.7, 0.7, 72)
    patches = laid(stripes(angle, 72) + 0.05 * np.random.default_rng(0).standard_normal((72, 72)), window=12, stride=4)
    found = pretrained("invariant", patches, 2, seed=0)
    assert found.symmetry in (1, 2)
    assert found.codes().shape[1] == 4
    imposed = angle[patches.sites.positions[:, 1]]
    assert found.turns is not None
    assert angle_agreement(2 * found.turns, 2 * imposed) > 0.8


def test_turns_of_noise_are_left_out() -> None:
    found = pretrained("invariant", laid(np.random.default_rng(0).standard_normal((80, 80)), 8, 8), 2, seed=0)
    assert found.symmetry == 0
    assert found.codes().shape[1] == 2


def test_large_windows_are_brought_to_twenty_pixels_and_keep_every_site() -> None:
    patches = laid(window=33, stride=4)
    found = pretrained("autoencoder", patches, 3, seed=0)
    assert found.inputs(np.array([0, 1])).shape == (2, 1, 20, 20)
    assert found.codes().shape == (len(patches), 3)


@pytest.mark.parametrize("kind", KINDS)
def test_windows_that_all_look_alike_give_one_code_that_says_nothing(kind: str) -> None:
    rows, cols = np.indices((40, 40))
    patches = laid(np.cos(2 * np.pi * rows / 5) + np.cos(2 * np.pi * cols / 5), window=5, stride=5)
    codes = pretrained(kind, patches, 4, seed=0).codes()
    assert np.isfinite(codes).all()
    assert codes[:, 0] == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_single_site_and_a_single_pixel_do_no_harm(kind: str) -> None:
    image = np.random.default_rng(0).standard_normal((12, 12))
    one = make_patches(SurveyImage(image), PatchSettings(window=8, stride=5), positions=[(6, 6)])
    assert np.isfinite(pretrained(kind, one, 4, seed=0).codes()).all()
    assert np.isfinite(pretrained(kind, laid(image, window=1, stride=2), 4, seed=0).codes()).all()


@pytest.mark.parametrize("kind", ["autoencoder", "invariant"])
def test_progress_runs_from_nothing_to_all_and_can_cancel(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHUNK", 50)
    shares: list[float] = []
    pretrained(kind, laid(), 4, seed=0, progress=shares.append)
    assert shares == sorted(shares)
    assert 0 < shares[0] < 0.1
    assert shares[-1] == pytest.approx(1)

    def stop(share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pretrained(kind, laid(), 4, seed=0, progress=stop)


def test_what_cannot_be_learned_is_refused() -> None:
    with pytest.raises(InputError, match="unknown pre-training 'umap'; choose one of pca, autoencoder, invariant"):
        pretrained("umap", laid(), 4, seed=0)
    for change in ({"codes": 0}, {"epochs": 0}, {"batch": 0}):
        with pytest.raises(InputError, match="must be 1 or more"):
            replace(AutoencoderSettings(), **change)
    with pytest.raises(InputError, match="noise of an autoencoder is -1"):
        AutoencoderSettings(noise=-1)
