from __future__ import annotations

import numpy as np
import pytest

from dkl_core.discovery.planted import Planted
from dkl_core.discovery.search import SearchSettings, search
from dkl_core.discovery.structural import StructureModel
from dkl_core.errors import InputError
from dkl_core.patches import Patches, PatchSettings, make_patches
from dkl_core.survey import SurveyImage

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def scattered() -> tuple[Patches, np.ndarray]:
    """Faint spots on a grid with 8 bright ones among 400, far from each other."""
    rng = np.random.default_rng(5)
    image = 0.05 * rng.standard_normal((200, 200))
    bright = np.zeros(400, dtype=bool)
    bright[rng.choice(400, 8, replace=False)] = True
    rows, cols = np.indices((9, 9)) - 4
    for number, high in enumerate(bright):
        row, col = 10 * (number // 20) + 1, 10 * (number % 20) + 1
        image[row : row + 9, col : col + 9] += (1 + 3 * high) * np.exp(-(rows**2 + cols**2) / 5)
    centres = np.stack(np.meshgrid(np.arange(5, 205, 10), np.arange(5, 205, 10), indexing="ij"), axis=-1).reshape(-1, 2)
    return make_patches(SurveyImage(image), PatchSettings(9, 10), positions=centres), bright


def visited(scattered: tuple[Patches, np.ndarray], model: StructureModel | None) -> np.ndarray:
    patches, bright = scattered
    steps = search(
        patches.sites, lambda at: bright[at].astype(float), SearchSettings(budget=41), usual=0.0, model=model
    )
    return list(steps)[-1].visited


def test_structure_leads_to_what_is_rare_and_alone_where_position_does_not(
    scattered: tuple[Patches, np.ndarray],
) -> None:
    patches, bright = scattered
    assert bright[visited(scattered, StructureModel(patches))].sum() == 8
    assert bright[visited(scattered, None)].sum() < 6


def test_before_any_measurement_it_expects_the_usual_everywhere(scattered: tuple[Patches, np.ndarray]) -> None:
    model = StructureModel(scattered[0])
    posterior = model.posterior()
    assert len(posterior) == 0
    assert float(posterior.mean.abs().max()) == 0
    assert float(posterior.variance.min()) > 0.3
    assert model.hyper.noise < 0.5
    assert model.hyper.length > 1


def test_learning_makes_the_features_count_that_the_target_follows(scattered: tuple[Patches, np.ndarray]) -> None:
    patches, bright = scattered
    model = StructureModel(patches)
    some = np.concatenate([np.flatnonzero(bright)[:4], np.flatnonzero(~bright)[:40]])
    model.learn(some, bright[some].astype(float))
    posterior = model.posterior()
    kernel = posterior.kernel
    structural = sum(float(a) for a, of in zip(kernel.amplitudes, kernel.structural, strict=True) if of)
    assert structural > 3 * float(kernel.amplitudes[kernel.names.index("position")])


def test_windows_are_searched_by_structure_too(windows: Patches, planted: Planted) -> None:
    inside = planted.phase[tuple(windows.sites.positions.T)].astype(float)
    steps = list(
        search(
            windows.sites,
            lambda at: inside[at],
            SearchSettings(budget=101),
            usual=0.0,
            model=StructureModel(windows),
        )
    )
    assert np.corrcoef(steps[-1].mean, inside)[0, 1] > 0.5


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(InputError, match="unknown model 'magic'; choose one of position, structure"):
        SearchSettings(model="magic")  # type: ignore[arg-type]
