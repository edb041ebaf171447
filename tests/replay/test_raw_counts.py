"""Patterns stored as raw counts of a camera are corrected before a scalarizer sees them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dkl_core.datasets import load_recorded
from dkl_core.stem.dataset import ScanSettings, write_4d
from dkl_core.stem.detectors import DetectorSettings
from dkl_core.stem.realism import Realism
from dkl_core.stem.settings import SampleSettings

SIZE = 8


@pytest.fixture(scope="module")
def realistic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sets") / "realistic.npz"
    write_4d(
        path,
        SampleSettings("graphene_si", 4.0),
        detector=DetectorSettings((48, 48)),
        realism=Realism.realistic(),
        scan=ScanSettings((SIZE, SIZE), 3.0, 0.01),
    )
    return path


def test_offset_gain_and_bad_pixels_of_the_file_are_taken_care_of(realistic: Path) -> None:
    raw = load_recorded(realistic, need_target=False).raw
    stored = dict(np.load(realistic))

    assert raw is not None
    pattern, counts = raw.pattern((2, 3)), raw.at((2, 3))
    assert counts[:4].mean() > 0.9 * stored["offset_counts"]
    assert abs(pattern.values[:4].mean()) < 0.1 * stored["offset_counts"]
    assert pattern.bad is not None
    assert {tuple(place) for place in np.argwhere(pattern.bad)} == {tuple(place) for place in stored["bad_px"]}


def test_the_electrons_of_corrected_counts_are_those_of_the_exposure(realistic: Path) -> None:
    raw = load_recorded(realistic, need_target=False).raw
    electrons = float(np.load(realistic)["electrons"])

    assert raw is not None
    assert raw.pattern((0, 0)).electrons == pytest.approx(electrons, rel=0.1)


def test_a_set_with_descan_names_no_centre(realistic: Path) -> None:
    raw = load_recorded(realistic, need_target=False).raw

    assert raw is not None
    assert raw.pattern((0, 0)).centre_px is None
