from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dkl_core.acquisition import AcquisitionSettings, ConstantBeta
from dkl_core.cli import main
from dkl_core.discovery import Discovery, DiscoverySettings, SearchSettings, judged, result_of
from dkl_core.discovery.atompatches import AtomPatches
from dkl_core.discovery.figures import component_figure, overview_figure, search_figure, step_figure
from dkl_core.discovery.planted_atoms import PlantedAtoms, dopants_among, planted_atoms
from dkl_core.errors import InputError
from dkl_core.representation.rvae import InvariantSettings
from dkl_core.survey import SurveyImage

pytestmark = pytest.mark.usefixtures("one_thread")
FORTY = SearchSettings(budget=40)


@pytest.fixture(scope="module")
def planted() -> PlantedAtoms:
    """Graphene of 4 nm with silicon, and shot noise."""
    return planted_atoms(seed=201)


@pytest.fixture(scope="module")
def begun(planted: PlantedAtoms) -> Discovery:
    return Discovery.begin(planted.survey, DiscoverySettings("atoms-pca", finder="classical", search=FORTY))


def test_all_foreign_atoms_are_among_the_first_forty(planted: PlantedAtoms, begun: Discovery) -> None:
    *_, last = begun.steps()
    assert len(begun.patches) > 400
    assert dopants_among(planted, begun.places[last.visited]).all()
    whole = begun.target.everywhere(begun.patches)
    foreign = np.argsort(-whole)[: len(planted.dopants)]
    assert dopants_among(planted, begun.places[foreign]).all()
    assert np.median(whole) == 0
    result = judged(begun, last, whole)
    assert result.found > 0.9
    assert result.similarity > 0.9


def test_position_alone_does_not_find_them(planted: PlantedAtoms) -> None:
    settings = DiscoverySettings("atoms-pca", finder="classical", search=SearchSettings(budget=40, model="position"))
    *_, last = (discovery := Discovery.begin(planted.survey, settings)).steps()
    assert dopants_among(planted, discovery.places[last.visited]).mean() < 0.7


@pytest.mark.parametrize(("name", "seed"), [("ei", 1), ("ucb", 2), ("pi", 3)])
def test_every_acquisition_finds_them_from_any_point(
    name: str, seed: int, planted: PlantedAtoms, begun: Discovery
) -> None:
    acquisition = AcquisitionSettings(name, beta=ConstantBeta(4.0))  # type: ignore[arg-type]
    asked = replace(begun.settings, search=SearchSettings(budget=40, acquisition=acquisition, seed=seed))
    *_, last = (changed := replace(begun, settings=asked)).steps()
    assert dopants_among(planted, changed.places[last.visited]).all()


def test_the_invariant_autoencoder_learns_from_some_atoms_with_the_foreign_among_them(
    planted: PlantedAtoms, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = InvariantSettings(epochs=12, starts=2, rate=5e-3, batch=32, angles=8)
    monkeypatch.setattr("dkl_core.discovery.invariant.invariant_settings", lambda *_: quick)
    settings = DiscoverySettings("atoms-rvae", finder="classical", sample=200, search=FORTY)
    discovery = Discovery.begin(planted.survey, settings)
    assert len(discovery.target.sample) == 200
    assert dopants_among(planted, discovery.target.sample.exact).all()  # type: ignore[attr-defined]
    *_, last = discovery.steps()
    assert dopants_among(planted, discovery.places[last.visited]).all()
    titles = [axes.get_title(loc="left") for axes in component_figure(discovery).axes]
    assert {"Latent numbers", "Latent manifold", "Component 1"} <= set(titles)
    assert "on the map of component" in discovery.target.decomposition.verdict.text(0)


def test_the_result_holds_atoms_between_pixels(begun: Discovery) -> None:
    *_, last = begun.steps()
    result = json.loads(json.dumps(result_of(begun, last)))
    assert isinstance(begun.patches, AtomPatches)
    assert result["atoms"] == len(begun.patches) + result["atoms_left_out"] == len(result["atom_positions"])
    assert len(result["atom_intensities"]) == result["atoms"]
    np.testing.assert_allclose(result["positions"], begun.places[last.visited], atol=1e-3)
    assert (result["model"], result["found_by"]) == ("structure", "classical")
    assert result["chosen_by"] == "how much of it is in few atoms"


def test_the_figures_draw_atoms_over_the_image(begun: Discovery) -> None:
    steps = list(begun.steps())
    whole = begun.target.everywhere(begun.patches)
    figures = (
        component_figure(begun),
        search_figure(begun, steps[-1], whole),
        step_figure(begun, steps),
        overview_figure([("graphene", begun, steps[-1])]),
    )
    for figure in figures:
        drawn = [
            axes for axes in figure.axes if any(len(c.get_offsets()) == len(begun.patches) for c in axes.collections)
        ]
        assert len(drawn) >= 2


def test_an_image_without_foreign_atoms_says_that_nothing_stands_out() -> None:
    plain = planted_atoms(dopants=0, seed=202)
    discovery = Discovery.begin(plain.survey, DiscoverySettings("atoms-pca", finder="classical"))
    assert not discovery.target.choice.clear
    assert any("stands out" in notice and "hangs together" not in notice for notice in discovery.notices)


def test_one_foreign_atom_of_hundreds_is_usual_to_nobody() -> None:
    planted = planted_atoms(dopants=1, seed=206)
    discovery = Discovery.begin(planted.survey, DiscoverySettings("atoms-pca", finder="classical", search=FORTY))
    assert len(planted.dopants) == 1
    assert discovery.target.choice.clear
    whole = discovery.target.everywhere(discovery.patches)
    assert (whole > 0).mean() < 0.05
    assert dopants_among(planted, discovery.places[[int(np.argmax(whole))]]).all()


@pytest.mark.parametrize(
    ("image", "given", "message"),
    [
        (np.random.default_rng(0).standard_normal((64, 64)), {}, "no atoms were found|more components|windows"),
        (np.ones((64, 64)), {}, "blank"),
        (np.full((64, 64), np.nan), {}, "no finite value"),
        (None, {"window": 300}, "smaller than the window of 300 px"),
        (None, {"components": 700}, "700 components are asked of"),
        (None, {"component": 4}, "component 4 is asked for"),
    ],
)
def test_what_cannot_be_discovered_round_atoms_is_refused(
    image: np.ndarray | None, given: dict, message: str, planted: PlantedAtoms
) -> None:
    survey = planted.survey if image is None else SurveyImage(image)
    with pytest.raises(InputError, match=message):
        Discovery.begin(survey, DiscoverySettings("atoms-pca", finder="classical", **given))


def test_pixels_without_data_are_lived_with(planted: PlantedAtoms) -> None:
    image = planted.survey.values.copy()
    image[80:110, 60:90] = np.nan
    discovery = Discovery.begin(SurveyImage(image), DiscoverySettings("atoms-pca", finder="classical", search=FORTY))
    *_, last = discovery.steps()
    assert np.isfinite(last.values).all()
    places = discovery.places
    assert not ((places > [82, 62]) & (places < [107, 87])).all(axis=1).any()
    assert any("without data" in notice for notice in discovery.notices)


def test_the_command_says_how_many_foreign_atoms_it_visited(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dkl_core.cli.discover._drawn", lambda *_: [])
    facts = tmp_path / "found.json"
    options = ("--workflow", "atoms-pca", "--budget", "41", "--judge", "--quiet")
    told = ("--out", str(tmp_path / "found"), "--json", str(facts))
    assert main(["discover", "planted-atoms", *options, *told]) == 0
    printed = capsys.readouterr().out
    result = json.loads(facts.read_text())["results"][0]
    assert result["dopants"] == result["dopants_among_first_40"] == result["dopants_visited"] > 3
    assert f"{result['dopants']} of {result['dopants']} foreign atoms visited" in printed
    assert f"{result['atoms']} atoms ({result['found_by']})" in printed
