"""The drop-in's scalars in plain Python are those of the published runs, and every other spectrum is survived."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest

from dkl_core.scalarizers import Spectrum, get_scalarizer, repair_shifted_samples

TOLERANCE = 1e-7
SPECTRA = "Measurement_000/Tunneling Spectroscopy/Tunneling Spectroscopy/Tunneling Spectroscopy"
# In these spectra of Figure 3 the current of some samples stands in another channel.
_FIGURE_3 = """
    3 4 6 7 8 10 17 20 23 32 35 40 43 48 51 53 56 59 62 63 68 71 74 76 77 83 88 91 95 98 99 100 106
    109 110 113 116 119 125 126 127 131 134 139 143 144 145 156 165 173 177 184 186 192 194 197 201
    203 204 205 209 210 211 214 227 228 230 231 232 233 234 241 247 252 254 258 259 261 262 265
"""
FIGURE_3_EXCEPTIONS = [int(number) for number in _FIGURE_3.split()]
FIGURE_7_EXCEPTIONS = [19, 29, 112, 116, 144, 179]
RUNS: dict[str, tuple[str, dict[str, float], int, list[int]]] = {
    "Figure3_large_area_250nm": ("area", {}, 267, FIGURE_3_EXCEPTIONS),
    "Figure4_Adsorbate_defect_10nm": ("band_gap", {}, 278, []),
    "Figure5_Substitution_defect_5nm": ("band_gap", {"offset": 3.1, "factor": -1.0}, 214, []),
    "Figure7_DKL1_200nm": ("in_gap_ratio", {"offset": 0.005}, 210, FIGURE_7_EXCEPTIONS),
}


def load(shared_data: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    with h5py.File(shared_data / "stm_runs" / f"{name}.hf5") as file:
        return file[SPECTRA][()].astype(float), file["Metadata_001/DKL Scalar/Scalar/Scalar"][()]


def value(parts: SimpleNamespace, name: str, options: dict[str, Any], spectrum: Any) -> float:
    result: float = parts.spectra.scalar(name, options, parts.spectra.as_rows(spectrum)).value
    return result


@pytest.mark.parametrize("name", RUNS)
def test_the_stored_scalars_are_met_but_for_the_spectra_listed(shared_data, parts, name):
    scalarizer, options, count, exceptions = RUNS[name]
    spectra, stored = load(shared_data, name)
    values = np.array([value(parts, scalarizer, options, spectrum) for spectrum in spectra])
    assert len(stored) == count
    assert np.flatnonzero(np.abs(values - stored) > TOLERANCE * np.abs(stored)).tolist() == exceptions


@pytest.mark.parametrize("name", ["Figure3_large_area_250nm", "Figure7_DKL1_200nm"])
def test_the_listed_spectra_are_met_after_repair(shared_data, parts, name):
    scalarizer, options, _, exceptions = RUNS[name]
    spectra, stored = load(shared_data, name)
    for number in exceptions:
        repaired = repair_shifted_samples(Spectrum.from_array(spectra[number])).as_array()
        assert value(parts, scalarizer, options, repaired.tolist()) == pytest.approx(stored[number], rel=TOLERANCE)


def test_the_vi_gets_five_and_a_thousand_times_the_ratio(shared_data, vi):
    spectra, stored = load(shared_data, "Figure7_DKL1_200nm")
    session = vi.new_session()
    assert vi.measure(session, spectra[0].tolist(), (20.0, 20.0)) == pytest.approx(1000 * stored[0], rel=TOLERANCE)


@pytest.mark.parametrize(
    "name", ["area", "in_gap_ratio", "positive_area", "band_gap", "valence_edge", "conduction_edge"]
)
def test_every_scalar_agrees_with_the_core(shared_data, parts, name):
    spectra, _ = load(shared_data, "Figure4_Adsorbate_defect_10nm")
    options = {"low_v": 0.0, "high_v": 2.4} if name == "area" else {}
    core = get_scalarizer(name, **options)
    for spectrum in spectra[::40]:
        expected = core(Spectrum.from_array(spectrum)).value
        assert value(parts, name, {}, spectrum.tolist()) == pytest.approx(expected, rel=1e-9)


def test_a_falling_bias_is_turned_round(parts, spectrum):
    turned = [row[::-1] for row in spectrum]
    assert value(parts, "published", {}, turned) == value(parts, "published", {}, spectrum)


def test_a_numpy_array_is_taken_as_lists_are(parts, spectrum):
    assert value(parts, "published", {}, np.array(spectrum)) == value(parts, "published", {}, spectrum)


@pytest.mark.parametrize(
    "bad",
    [
        *(None, "", 0, [], [[]], [[1.0, 2.0]], [[0, 1], [1]], [["a", "b"], [1, 2]], [[0, 0, 1], [1, 2, 3]]),
        [[0, math.nan, 1], [1, 2, 3]],
        [[-1, 0, 1], [1, 2, 3], [math.nan] * 3, [0] * 3],
        [[-1, 0, 1], [1, 2, 3], [0] * 3],
        [[0, 1, 2], [1, 2, 3]],
    ],
)
def test_what_is_no_spectrum_gives_zero_and_the_reason(vi, bad):
    session = vi.new_session()
    answer = vi.measure(session, bad, (20.0, 20.0))
    assert type(answer) is float
    assert answer == 0.0
    code, text = session.scalar.last_error()
    assert code == 1
    assert text
    assert vi.journal()[-1]["valid"] is False


def test_the_spectrum_may_come_last_as_the_vis_pane_shows_it(vi, spectrum):
    session = vi.new_session()
    published = session.scalar.scalarizer("Exp_spectroscopy.txt", spectrum, 30.0, 40.0)
    assert session.scalar.scalarizer("Exp_spectroscopy.txt", 30.0, 40.0, spectrum) == published
    assert [(event["x"], event["y"]) for event in vi.journal() if event["event"] == "measurement"] == [(30, 40)] * 2


def test_strict_settings_refuse_a_spectrum_that_the_published_program_takes(vi, spectrum):
    clipped = [*spectrum[:2], [min(value, 0.3) for value in spectrum[2]], spectrum[3]]
    assert vi.measure(vi.new_session(), clipped, (20.0, 20.0)) > 0
    vi.configure(strict=True)
    session = vi.new_session()
    assert vi.measure(session, clipped, (20.0, 20.0)) == 0.0
    assert "saturated" in session.scalar.last_error()[1]


def test_a_scalarizer_of_the_settings_is_used_with_its_options(vi, spectrum):
    vi.configure(scalarizer="band_gap", options={"offset": 3.1, "factor": -1.0})
    session = vi.new_session()
    gap = get_scalarizer("band_gap")(Spectrum.from_array(spectrum)).value
    assert vi.measure(session, spectrum, (20.0, 20.0)) == pytest.approx(3.1 - gap)


@pytest.mark.parametrize(
    ("options", "message"), [({"wide": 1}, "has no option 'wide'"), ({"low_v": "a"}, "give a number")]
)
def test_an_option_that_does_not_fit_is_named(vi, spectrum, options, message):
    vi.configure(scalarizer="area", options=options)
    session = vi.new_session()
    assert vi.measure(session, spectrum, (20.0, 20.0)) == 0.0
    assert message in session.scalar.last_error()[1]


def test_the_journal_keeps_every_digit_and_the_text_file_every_sample(vi, spectrum):
    session = vi.new_session()
    answer = vi.measure(session, spectrum, (20.0, 30.0))
    kept = vi.journal()[-1]
    assert kept["scalar"] == answer
    assert kept["spectrum"] == spectrum
    text = (vi.base / "Exp_spectroscopy.txt_alldata.txt").read_text().splitlines()
    assert text[2].split("\t") == ["20.0", "30.0", repr(answer)]
    assert [[float(value) for value in line.split("\t")] for line in text[4:]] == [
        list(row) for row in zip(*spectrum, strict=True)
    ]


def test_samples_without_number_are_kept_as_null(vi, spectrum):
    spectrum[1][3] = math.inf
    vi.measure(vi.new_session(), spectrum, (20.0, 30.0))
    assert json.loads(json.dumps(vi.journal()[-1], allow_nan=False))["spectrum"][1][3] is None
