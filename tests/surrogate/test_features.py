from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from dkl_core.patches import Patches
from dkl_core.surrogate import MODELS, SurrogateSettings
from dkl_core.surrogate.features import compute_features, local_jets, patch_batches, principal_components

Laid = Callable[..., Patches]
NO_NETWORK = MODELS["linear"]


def blobs(size: int = 72) -> np.ndarray:
    return gaussian_filter(np.random.default_rng(5).standard_normal((size, size)), 2)


def test_the_table_has_a_row_per_site_and_a_block_per_term(laid: Laid) -> None:
    features = compute_features(laid(), NO_NETWORK)
    assert [block.name for block in features.blocks] == ["position", "components", "invariants", "gradients"]
    assert [block.structural for block in features.blocks] == [False, True, True, True]
    assert [block.width for block in features.blocks] == [2, 8, 8, 12]
    assert features.table.shape == (289, 30)
    assert np.isfinite(features.table).all()


def test_structure_is_standardised(laid: Laid) -> None:
    table = compute_features(laid(), NO_NETWORK).table[:, 2:]
    assert table.mean(axis=0) == pytest.approx(np.zeros(28), abs=1e-9)
    assert table.std(axis=0) == pytest.approx(np.ones(28))


def test_positions_run_from_edge_to_edge_of_the_longer_side(laid: Laid) -> None:
    table = compute_features(laid(blobs()[:40], edge="reflect", stride=1), NO_NETWORK).table
    assert (table[:, 1].min(), table[:, 1].max()) == pytest.approx((-1, 1), abs=0.02)
    assert (table[:, 0].min(), table[:, 0].max()) == pytest.approx((-40 / 72, 40 / 72), abs=0.02)


@pytest.mark.parametrize(
    ("switched_off", "left"),
    [
        ({"position": False}, ["components", "invariants", "gradients"]),
        ({"components": 0}, ["position", "invariants", "gradients"]),
        ({"invariants": False}, ["position", "components", "gradients"]),
        ({"gradients": False}, ["position", "components", "invariants"]),
    ],
)
def test_each_term_can_be_switched_off(laid: Laid, switched_off: dict[str, bool], left: list[str]) -> None:
    for depth in ("never", "auto"):
        features = compute_features(laid(), replace(NO_NETWORK, depth=depth, **switched_off))
        assert [block.name for block in features.blocks] == left


def test_a_network_sees_all_structure_whatever_the_terms_are_and_never_the_position(laid: Laid) -> None:
    bare = SurrogateSettings(components=0, invariants=False, gradients=False)
    for settings in (SurrogateSettings(), bare):
        features = compute_features(laid(), settings)
        assert features.network_columns == slice(2, 2 + 16 + 8 + 12)
        assert features.table.shape[1] == 38


def test_the_components_are_those_of_the_patches(laid: Laid) -> None:
    patches = laid()
    flat = patches.take(np.arange(len(patches))).reshape(len(patches), -1).astype(float)
    flat -= flat.mean(axis=0)
    _, _, axes = np.linalg.svd(flat, full_matrices=False)
    for ours, theirs in zip(principal_components(patches, 5).T, (flat @ axes[:5].T).T, strict=True):
        assert abs(np.corrcoef(ours, theirs)[0, 1]) == pytest.approx(1)


def test_there_are_no_more_components_than_patches_differ_in() -> None:
    from dkl_core.patches import PatchSettings, make_patches
    from dkl_core.survey import SurveyImage

    ramp = SurveyImage(np.add.outer(np.arange(40.0), np.zeros(40)))
    patches = make_patches(ramp, PatchSettings(window=8, stride=4, normalisation="none"))
    assert principal_components(patches, 8).shape == (len(patches), 1)


def test_components_do_not_depend_on_how_the_patches_come_in(laid: Laid, monkeypatch: pytest.MonkeyPatch) -> None:
    patches = laid()
    expected = principal_components(patches, 6)
    whole = Patches.chunks
    monkeypatch.setattr(Patches, "chunks", lambda self: whole(self, 7))
    assert principal_components(patches, 6) == pytest.approx(expected, abs=1e-9)


def test_components_of_a_sample_serve_for_all(laid: Laid, monkeypatch: pytest.MonkeyPatch) -> None:
    from dkl_core.surrogate import features

    patches = laid(stride=1)
    expected = principal_components(patches, 2)
    monkeypatch.setattr(features, "_PCA_SAMPLE", len(patches) // 4)
    sampled = principal_components(patches, 2)
    assert np.array_equal(sampled, principal_components(patches, 2))
    assert abs(np.corrcoef(sampled[:, 0], expected[:, 0])[0, 1]) > 0.99


def test_invariants_do_not_change_when_the_image_is_turned(laid: Laid) -> None:
    image = blobs()
    upright, turned = (laid(each, window=9, stride=1, edge="reflect") for each in (image, np.rot90(image)))
    _, plain = local_jets(upright)
    _, rotated = local_jets(turned)
    maps = [np.rot90(values.reshape(72, 72)) for values in plain.T]
    assert rotated == pytest.approx(np.stack([m.reshape(-1) for m in maps], axis=1), abs=1e-6)


def test_invariants_do_not_depend_on_the_direction_of_a_wave(laid: Laid) -> None:
    rows, cols = np.mgrid[:120, :120]
    straight, oblique = np.cos(rows / 3), np.cos((rows + cols) / (3 * np.sqrt(2)))
    patches = laid(np.concatenate([straight, oblique], axis=1), window=6, stride=1, edge="reflect")
    _, invariants = local_jets(patches)
    maps = invariants.reshape(120, 240, -1)
    left, right = maps[20:100, 20:100], maps[20:100, 140:220]
    for name, at in (("gradient", 1), ("Laplacian", 2), ("curvature", 3)):
        assert left[..., at].mean() == pytest.approx(right[..., at].mean(), abs=0.05), name
        assert left[..., at].std() == pytest.approx(right[..., at].std(), rel=0.05), name


def test_gradients_turn_with_the_image(laid: Laid) -> None:
    image = blobs()
    plain, _ = local_jets(laid(image, window=9, stride=1, edge="reflect"))
    mirrored, _ = local_jets(laid(image[:, ::-1], window=9, stride=1, edge="reflect"))
    level, right = (mirrored[:, at].reshape(72, 72)[:, ::-1].reshape(-1) for at in (0, 1))
    assert level == pytest.approx(plain[:, 0], abs=1e-6)
    assert right == pytest.approx(-plain[:, 1], abs=1e-6)


@pytest.mark.parametrize(("window", "scales"), [(1, 1), (5, 1), (6, 2), (12, 3), (30, 4), (40, 4), (60, 5)])
def test_there_are_as_many_scales_as_fit_into_the_window(laid: Laid, window: int, scales: int) -> None:
    gradients, invariants = local_jets(laid(window=window, edge="reflect"))
    assert (gradients.shape[1], invariants.shape[1]) == (6 * scales, 4 * scales)


def test_batches_of_patches_are_single_channel_images(laid: Laid) -> None:
    patches = laid()
    parts, batches = zip(*patch_batches(patches, 100), strict=True)
    assert [part.stop - part.start for part in parts] == [100, 100, 89]
    assert [batch.shape for batch in batches] == [(100, 1, 8, 8), (100, 1, 8, 8), (89, 1, 8, 8)]
    assert np.array_equal(np.concatenate(batches)[:, 0], patches.take(np.arange(289)))
