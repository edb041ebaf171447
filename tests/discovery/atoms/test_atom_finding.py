from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from dkl_core.discovery.atoms import FoundAtoms, find_atoms
from dkl_core.discovery.atoms.score import scored
from dkl_core.discovery.atoms.weights import SHIPPED
from dkl_core.errors import DataFileError, InputError
from tests.discovery.atoms.pictures import simulated

pytestmark = pytest.mark.usefixtures("one_thread")
REACH_PX, BORDER_PX = 1.5, 3.3


@pytest.fixture(scope="module")
def by_network(bilayer: Any) -> FoundAtoms:
    return find_atoms(bilayer.image)


def test_the_network_finds_the_atoms_of_a_bilayer(bilayer: Any, by_network: FoundAtoms) -> None:
    score = scored(by_network.positions, bilayer.atoms, REACH_PX, bilayer.image.shape, BORDER_PX)
    assert by_network.method == "network"
    assert by_network.notices == ()
    assert score.atoms > 900
    assert score.within > 0.97
    assert score.false < 0.04


def test_the_network_finds_more_overlapping_atoms_than_the_filter(bilayer: Any, by_network: FoundAtoms) -> None:
    found = find_atoms(bilayer.image, method="classical")
    shape = bilayer.image.shape
    of_filter, of_network = (
        scored(one.positions, bilayer.atoms, REACH_PX, shape, BORDER_PX) for one in (found, by_network)
    )
    assert found.method == "classical"
    assert of_network.matched > of_filter.matched + 0.05


@pytest.mark.parametrize("method", ["network", "classical"])
def test_both_methods_find_one_layer(graphene: Any, method: Any) -> None:
    found = find_atoms(graphene.image, method=method)
    score = scored(found.positions, graphene.atoms, REACH_PX, graphene.image.shape, BORDER_PX)
    assert score.matched > 0.995
    assert score.false < 0.03
    assert score.error_px < 0.45
    assert found.spacing_px == pytest.approx(7.1, rel=0.05)
    assert found.width_px == pytest.approx(1.55, rel=0.1)


def test_silicon_is_the_brightest(graphene: Any) -> None:
    found = find_atoms(graphene.image)
    brightest = found.positions[np.argsort(-found.intensities)]
    inside = ((graphene.silicon > BORDER_PX) & (graphene.silicon < 200 - 1 - BORDER_PX)).all(axis=1)
    count = int(inside.sum())
    assert count >= 2
    for place in graphene.silicon[inside]:
        assert np.linalg.norm(brightest[: 2 * count] - place, axis=1).min() < REACH_PX


def test_positions_do_not_depend_on_units_and_offset(graphene: Any) -> None:
    part = graphene.image[:96, :96]
    one, two = find_atoms(part), find_atoms(1e-9 * part - 3e-6)
    assert len(one) == len(two)
    assert np.abs(one.positions - two.positions).max() < 0.02
    assert np.allclose(two.intensities, 1e-9 * one.intensities, rtol=0.02)


def test_an_image_of_finer_pixels_gives_the_same_atoms() -> None:
    part = simulated("graphene_si", 200, 5, 1e7).image[:96, :96]
    fine = ndimage.zoom(part, 3, order=3, mode="nearest", grid_mode=True)
    one, two = find_atoms(part), find_atoms(fine)
    score = scored((two.positions - 1) / 3, one.positions, 0.7, part.shape, BORDER_PX)
    assert score.matched > 0.97
    assert two.width_px == pytest.approx(3 * one.width_px, rel=0.15)


def test_few_missing_pixels_are_filled_and_told(graphene: Any) -> None:
    image = graphene.image[:96, :96].copy()
    image[40:43, 50:53] = np.nan
    found = find_atoms(image)
    assert "9 pixels without data" in found.notices[0]
    near = np.rint(found.positions).astype(int)
    assert np.isfinite(image[tuple(np.clip(near, 0, 95).T)]).all()


def test_without_weights_the_filter_is_used_and_it_says_so(
    graphene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = graphene.image[:96, :96]
    broken = tmp_path / "weights.npz"
    broken.write_bytes(b"nothing")
    for path in (broken, tmp_path / "absent.npz"):
        monkeypatch.setattr("dkl_core.discovery.atoms.weights.SHIPPED", path)
        found = find_atoms(part)
        assert found.method == "classical"
        assert "the classical method was used instead" in found.notices[0]


def test_weights_that_the_user_named_are_never_replaced(graphene: Any, tmp_path: Path) -> None:
    broken = tmp_path / "weights.npz"
    whole = bytearray(SHIPPED.read_bytes())
    whole[20_000:20_200] = bytes(255 - byte for byte in whole[20_000:20_200])
    for content in (b"nothing", bytes(whole)):
        broken.write_bytes(content)
        with pytest.raises(DataFileError, match=r"weights\.npz holds no weights"):
            find_atoms(graphene.image[:96, :96], weights=broken)


def test_a_large_offset_of_the_image_changes_nothing(graphene: Any) -> None:
    part = graphene.image[:96, :96]
    for method in ("network", "classical"):
        found, raised = find_atoms(part, method=method), find_atoms(part + 1e8, method=method)
        assert len(raised) == len(found)
        assert np.allclose(raised.positions, found.positions, atol=0.01)


def test_a_single_atom_on_noise_is_found() -> None:
    y, x = np.mgrid[:96, :96]
    spot = 40 * np.exp(-((y - 40.3) ** 2 + (x - 60.7) ** 2) / 8)
    found = find_atoms(np.random.default_rng(1).poisson(4 + spot).astype(float))
    assert len(found) <= 2
    assert np.linalg.norm(found.positions - (40.3, 60.7), axis=1).min() < 0.3


def _noise() -> np.ndarray:
    return np.random.default_rng(3).normal(size=(160, 160))


def _edge() -> np.ndarray:
    y, x = np.mgrid[:160, :160]
    return np.random.default_rng(4).poisson(np.where(x > 60 + 0.3 * y, 20, 2)).astype(float)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (_noise(), "no atoms were found"),
        (np.random.default_rng(2).poisson(0.3, (160, 160)).astype(float), "no atoms were found"),
        (_edge(), "no atoms were found"),
        (np.full((64, 64), 3.0), "blank"),
        (np.full((64, 64), np.nan), "100% of the image's pixels"),
        (np.eye(12), "12 x 12 px"),
        (np.zeros(5), "two-dimensional"),
    ],
)
@pytest.mark.parametrize("method", ["network", "classical"])
def test_images_without_atoms_are_refused(image: np.ndarray, message: str, method: Any) -> None:
    with pytest.raises(InputError, match=message):
        find_atoms(image, method=method)


def test_wrong_options_are_named() -> None:
    with pytest.raises(InputError, match="unknown method 'magic'"):
        find_atoms(_noise(), method="magic")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="width_px is -1"):
        find_atoms(_noise(), width_px=-1)


def test_progress_rises_to_one(graphene: Any) -> None:
    told: list[float] = []
    find_atoms(graphene.image[:64, :64], progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
