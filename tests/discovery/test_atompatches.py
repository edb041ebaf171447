from __future__ import annotations

import numpy as np
import pytest

from dkl_core.discovery.atompatches import AtomSites, atom_patches, chosen_sites, places_of, window_for
from dkl_core.discovery.atoms import FoundAtoms
from dkl_core.errors import InputError
from dkl_core.patches import Sites
from dkl_core.survey import SurveyImage

WIDTH = 1.6


def lattice(shape: tuple[int, int] = (90, 80), spacing: float = 9.3, first: float = 4.7) -> np.ndarray:
    rows, cols = (np.arange(first, length - 2, spacing) for length in shape)
    return np.stack(np.meshgrid(rows, cols, indexing="ij"), axis=-1).reshape(-1, 2)


def picture(places: np.ndarray, shape: tuple[int, int] = (90, 80), heights: np.ndarray | None = None) -> np.ndarray:
    rows, cols = np.indices(shape)
    image = np.zeros(shape)
    for (row, col), height in zip(places, np.ones(len(places)) if heights is None else heights, strict=True):
        image += height * np.exp(-((rows - row) ** 2 + (cols - col) ** 2) / (2 * WIDTH**2))
    return image


def found(places: np.ndarray, spacing: float = 9.3) -> FoundAtoms:
    return FoundAtoms(places, np.ones(len(places)), WIDTH, spacing, "classical")


def test_windows_are_centred_on_atoms_between_pixels() -> None:
    places = lattice()
    patches = atom_patches(SurveyImage(picture(places)), found(places))
    assert patches.window == window_for(found(places)) == 25
    assert patches.left_out == 0
    inside = np.flatnonzero(((places > 13) & (places < np.array([76, 66]))).all(axis=1))
    windows = patches.take(inside)
    assert windows.shape == (len(inside), 25, 25)
    # Cut at whole pixels the same atoms would differ by a tenth of their height and more.
    assert windows.std(axis=0).max() < 0.01 * np.ptp(windows)
    assert np.unravel_index(windows[0].argmax(), (25, 25)) == (12, 12)
    np.testing.assert_allclose(windows, windows[:, ::-1], atol=0.02 * np.ptp(windows))


def test_what_lies_beyond_the_border_is_taken_to_be_typical() -> None:
    places = lattice()
    endless = picture(lattice((130, 120), first=4.7 - 2 * 9.3))
    patches = atom_patches(SurveyImage(endless), found(places))
    windows = patches.take(np.arange(len(patches)))
    middle = int(np.argmin(((patches.sites.exact - 42) ** 2).sum(axis=1)))
    assert np.abs(windows - windows[middle]).max() < 0.05 * np.ptp(windows)


def test_atoms_with_less_than_half_a_window_are_left_out_and_counted() -> None:
    corner = np.array([[1.0, 1.0], [1.0, 40.0], [45.0, 40.0], [-3.0, 40.0], [45.0, 79.2]])
    patches = atom_patches(SurveyImage(picture(corner)), found(corner), window=21)
    assert (len(patches), patches.left_out) == (3, 2)
    np.testing.assert_array_equal(places_of(patches.sites), corner[[1, 2, 4]])
    np.testing.assert_array_equal(patches.sites.positions, [[1, 40], [45, 40], [45, 79]])


def test_pixels_without_data_are_taken_to_be_typical_or_the_atom_is_left_out() -> None:
    places = lattice()
    image = picture(places)
    image[36:48, 20:32] = np.nan
    patches = atom_patches(SurveyImage(image), found(places))
    windows = patches.take(np.arange(len(patches)))
    assert np.isfinite(windows).all()
    image[10:80, 10:70] = np.nan
    assert atom_patches(SurveyImage(image), found(places)).left_out > 10


def test_parts_are_cut_as_the_whole_is_and_no_atom_gives_no_window(monkeypatch: pytest.MonkeyPatch) -> None:
    places = lattice()
    patches = atom_patches(SurveyImage(picture(places)), found(places))
    whole = patches.take(np.arange(len(patches)))
    monkeypatch.setattr("dkl_core.discovery.atompatches._CHUNK_PIXELS", 7 * 25**2)
    np.testing.assert_array_equal(patches.take(np.arange(len(patches))), whole)
    assert patches.take(np.empty(0, dtype=int)).shape == (0, 25, 25)
    assert sum(len(chunk) for _, chunk in patches.chunks(10)) == len(places)


def test_chosen_sites_keep_their_exact_places() -> None:
    places = lattice()
    sites = atom_patches(SurveyImage(picture(places)), found(places)).sites
    some = chosen_sites(sites, np.array([5, 2]))
    assert isinstance(some, AtomSites)
    np.testing.assert_array_equal(places_of(some), places[[5, 2]])
    grid = Sites(np.array([[1, 2], [3, 4]]), (9, 9))
    np.testing.assert_array_equal(places_of(chosen_sites(grid, np.array([1]))), [[3.0, 4.0]])


@pytest.mark.parametrize(
    ("places", "window", "message"),
    [
        (np.empty((0, 2)), None, "no atoms"),
        (lattice(), 2, "the window is 2 px"),
        (lattice(), 81, "smaller than the window of 81 px"),
        (np.array([[0.0, 0.0], [89.0, 79.0]]), 21, "none of the 2 atoms has half of a window"),
    ],
)
def test_what_cannot_be_cut_is_refused(places: np.ndarray, window: int | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        atom_patches(SurveyImage(picture(lattice())), found(places), window)


def test_the_window_of_a_single_atom_follows_from_its_width() -> None:
    alone = FoundAtoms(np.array([[20.0, 20.0]]), np.ones(1), WIDTH, float("nan"), "classical")
    assert window_for(alone) == 9
    assert len(atom_patches(SurveyImage(picture(alone.positions)), alone)) == 1
