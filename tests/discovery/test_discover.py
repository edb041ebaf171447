from __future__ import annotations

import numpy as np
import pytest

from dkl_core.discovery import Discovery, DiscoverySettings, SearchSettings, judged, result_of
from dkl_core.discovery.figures import component_figure, search_figure, step_figure
from dkl_core.discovery.metrics import found_share, structural_similarity, two_level_threshold
from dkl_core.discovery.planted import Planted, planted_image
from dkl_core.errors import InputError
from dkl_core.survey import SurveyImage

pytestmark = pytest.mark.usefixtures("one_thread")
SMALL = SearchSettings(budget=120)


def begun(planted: Planted, workflow: str) -> Discovery:
    settings = DiscoverySettings(workflow, window=24, stride=4, starts=2, sample=400, search=SMALL)
    return Discovery.begin(SurveyImage(planted.image), settings)


@pytest.mark.parametrize("workflow", ["fft-pca", "fft-nmf", "fft-nfindr"])
def test_the_planted_phase_is_found(planted: Planted, workflow: str) -> None:
    discovery = begun(planted, workflow)
    last = list(discovery.steps())[-1]
    whole = discovery.target.everywhere(discovery.patches)
    inside = planted.phase[tuple(discovery.patches.sites.positions.T)]
    assert whole[inside].mean() > 5 * whole[~inside].mean()
    result = judged(discovery, last, whole)
    assert result.found > 0.85
    assert result.wrong < 0.25
    assert inside[last.visited].mean() > 1.5 * inside.mean()


def test_a_search_sees_what_the_whole_map_shows_and_hosts_can_score_their_own_windows(planted: Planted) -> None:
    discovery = begun(planted, "fft-pca")
    whole = discovery.target.everywhere(discovery.patches)
    assert discovery.target.at(discovery.patches, [3, 800]) == pytest.approx(whole[[3, 800]], abs=1e-6)
    assert discovery.target.of(discovery.patches.take([3, 800])) == pytest.approx(whole[[3, 800]], abs=1e-6)
    assert whole.min() == 0


def test_an_image_with_nothing_unusual_says_so() -> None:
    plain = np.random.default_rng(0).standard_normal((160, 160))
    discovery = Discovery.begin(SurveyImage(plain), DiscoverySettings("fft-pca", window=24, stride=4))
    assert not discovery.target.choice.clear
    assert any("stands out" in notice for notice in discovery.notices)


def test_a_decomposition_that_depends_on_the_start_says_so() -> None:
    plain = np.random.default_rng(0).standard_normal((120, 120))
    settings = DiscoverySettings("patch-nmf", window=12, stride=6, components=6)
    assert any("did not converge" in notice for notice in Discovery.begin(SurveyImage(plain), settings).notices)


def test_the_figures_show_components_way_and_steps(planted: Planted) -> None:
    discovery = begun(planted, "fft-pca")
    steps = list(discovery.steps())
    whole = discovery.target.everywhere(discovery.patches)
    titles = [axes.get_title(loc="left") for axes in component_figure(discovery).axes]
    assert {"Image", "Component 0", "Component 3", "What it looks like"} <= set(titles)
    titles = [axes.get_title(loc="left") for axes in search_figure(discovery, steps[-1], whole).axes]
    assert {"Way through the image", "Reconstruction", "Uncertainty", "Target everywhere"} <= set(titles)
    assert len(step_figure(discovery, steps).axes) == 10
    assert len(step_figure(discovery, steps[:1]).axes) == 2


def test_the_result_says_what_was_done(planted: Planted) -> None:
    discovery = begun(planted, "fft-pca")
    result = result_of(discovery, list(discovery.steps())[-1])
    assert (result["visited"], result["n_sites"], result["ended"]) == (120, 35 * 35, "budget")
    assert result["converged"]
    assert len(result["positions"]) == len(result["values"]) == 120
    assert result["best_values"] == sorted(result["values"], reverse=True)[:10]


@pytest.mark.parametrize(
    ("image", "given", "message"),
    [
        (np.ones((64, 64)), {}, "no structure"),
        (np.zeros((64, 64)), {"components": 1}, "no structure"),
        (np.full((64, 64), np.nan), {}, "no finite value"),
        (np.eye(20), {"window": 32}, "smaller than the window of 32 px"),
        (np.eye(32), {"window": 30, "stride": 15}, "4 components are asked of 1 windows"),
        (np.eye(64), {"component": 9}, "component 9 is asked for"),
        (np.eye(64), {"workflow": "fft-magic"}, "unknown workflow 'fft-magic'"),
        (np.eye(64), {"sample": 1}, "4 windows or more"),
    ],
)
def test_what_cannot_be_discovered_is_refused(image: np.ndarray, given: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Discovery.begin(SurveyImage(image), DiscoverySettings(**given))


def test_pixels_without_data_are_kept_away_from(planted: Planted) -> None:
    image = planted.image.copy()
    image[60:70, 60:70] = np.nan
    settings = DiscoverySettings("fft-pca", window=24, stride=4, search=SearchSettings(budget=40))
    discovery = Discovery.begin(SurveyImage(image), settings)
    last = list(discovery.steps())[-1]
    assert len(discovery.patches) < 35 * 35
    assert np.isfinite(last.values).all()
    assert judged(discovery, last, discovery.target.everywhere(discovery.patches)).similarity <= 1


def test_similarity_is_one_for_the_same_map_and_falls_with_noise(rng: np.random.Generator) -> None:
    rows, cols = np.indices((40, 40))
    wave = np.sin(rows / 5) * np.cos(cols / 6)
    assert structural_similarity(wave, wave) == pytest.approx(1)
    little, much = (structural_similarity(wave, wave + s * rng.standard_normal((40, 40))) for s in (0.1, 1.0))
    assert 1 > little > much > -1


def test_a_map_of_two_levels_is_parted_between_them(rng: np.random.Generator) -> None:
    low, high = rng.normal(0, 0.3, 900), rng.normal(5, 0.3, 100)
    threshold = two_level_threshold(np.concatenate([low, high]))
    assert low.max() < threshold < high.min()
    assert found_share(np.array([1.0, 0, 1, 0]), np.array([True, True, False, False]), 0.5) == (0.5, 0.5)
    assert two_level_threshold(np.array([3.0])) == 3.0


def test_inclusions_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="do not fit"):
        planted_image(size=50, radius=40)
