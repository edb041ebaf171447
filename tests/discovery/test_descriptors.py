from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from dkl_core.discovery.descriptors import Descriptor
from dkl_core.errors import InputError
from dkl_core.patches import Patches, PatchSettings, make_patches
from dkl_core.survey import SurveyImage


def wave(period: float, angle_deg: float, size: int = 32, phase: float = 0.0) -> np.ndarray:
    rows, cols = np.indices((size, size))
    turned = np.deg2rad(angle_deg)
    return np.cos(2 * np.pi * (rows * np.sin(turned) + cols * np.cos(turned)) / period + phase)


def test_the_fourier_descriptor_of_a_wave_peaks_at_its_frequency() -> None:
    picture = Descriptor("fft", 32).picture(Descriptor("fft", 32).describe(wave(8.0, 90.0)[None])[0])
    row, col = np.unravel_index(np.argmax(picture), picture.shape)
    centre = picture.shape[0] // 2
    assert (abs(row - centre), col - picture.shape[1] // 2) == (32 // 8, 0)


def test_the_fourier_descriptor_forgets_where_a_lattice_begins_and_how_bright_it_is() -> None:
    fft = Descriptor("fft", 32)
    here, there, other = fft.describe(np.stack([wave(5.0, 20.0), wave(5.0, 20.0, phase=1.3) + 7, wave(5.0, 80.0)]))
    assert np.abs(here - there).max() < 0.15 * np.abs(here).max()
    assert np.abs(here - other).max() > 0.9 * np.abs(here).max()


@pytest.mark.parametrize("size", [24, 25])
def test_a_descriptor_can_be_looked_at_and_is_symmetric(size: int) -> None:
    rng = np.random.default_rng(0)
    fft = Descriptor("fft", size)
    picture = fft.picture(fft.describe(rng.standard_normal((1, size, size)))[0])
    assert picture == pytest.approx(picture[::-1, ::-1])
    assert picture.shape[0] >= size - 1


def test_a_window_is_described_alike_whatever_else_is_described(windows: Patches) -> None:
    fft = Descriptor.of("fft", windows)
    whole = np.concatenate([rows for _, rows in fft.chunks(windows)])
    assert whole.shape == (len(windows), 24 * 13)
    np.testing.assert_array_equal(fft.at(windows, [5, 900, 17]), whole[[5, 900, 17]])
    assert fft.at(windows, []).shape == (0, 24 * 13)


def test_a_patch_descriptor_is_the_window_and_never_negative(windows: Patches) -> None:
    patch = Descriptor.of("patch", windows)
    row = patch.at(windows, [40])[0]
    assert row.min() >= 0
    assert patch.picture(row) - patch.picture(row).min() == pytest.approx(
        windows.take([40])[0] - windows.take([40])[0].min(), abs=1e-5
    )


def test_windows_are_never_stacked_in_one_piece() -> None:
    """All windows of this image together would take 2 GB."""
    image = np.random.default_rng(0).standard_normal((1024, 1024))
    patches = make_patches(SurveyImage(image), PatchSettings(64, 8))
    fft = Descriptor.of("fft", patches)
    tracemalloc.start()
    count = 0
    for part, rows in fft.chunks(patches):
        count += len(rows)
        if part.stop > 2000:
            break
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count > 2000
    assert peak < 300e6


def test_what_cannot_be_described_is_refused(windows: Patches) -> None:
    with pytest.raises(InputError, match="unknown descriptor 'shape'"):
        Descriptor("shape", 8)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="from 4 px on"):
        Descriptor("fft", 3)
    with pytest.raises(InputError, match=r"give \(n, 8, 8\)"):
        Descriptor("fft", 8).describe(np.zeros((1, 8, 9)))
    with pytest.raises(InputError, match="NaN"):
        Descriptor("fft", 8).describe(np.full((1, 8, 8), np.nan))
