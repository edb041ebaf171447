import pytest

from dkl_core.errors import InputError
from dkl_core.surrogate import MODELS, SurrogateSettings, model_settings, resolve_device


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depth": "deep"}, "unknown depth 'deep'; choose one of auto, always, never"),
        ({"components": -1}, "components is -1; give 0"),
        ({"members": 0}, "members is 0; an ensemble has 1 network or more"),
        ({"folds": 1}, "folds is 1 with 2 members"),
        ({"folds": -1}, "folds is -1"),
        ({"folds": 3, "members": 4}, "folds is 3 with 4 members"),
        ({"folds": 0}, "depth 'auto' judges networks on held-out measurements"),
        ({"iterations": 0}, "must be 1 or more"),
        ({"warm_iterations": 0}, "must be 1 or more"),
        ({"position": False, "components": 0, "invariants": False, "gradients": False}, "the model has no term"),
    ],
)
def test_settings_that_make_no_sense_are_refused_with_the_value(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SurrogateSettings(**changes)


def test_a_network_alone_is_a_model() -> None:
    assert not MODELS["published"].position
    assert not MODELS["published"].has_structure


def test_models_are_found_by_name() -> None:
    assert model_settings("dkl") == SurrogateSettings()
    with pytest.raises(InputError, match="unknown model 'gp'; choose one of dkl, position, pca, linear, published"):
        model_settings("gp")


def test_devices_are_found_by_name() -> None:
    assert resolve_device("cpu").type == "cpu"
    assert resolve_device("auto").type in {"cpu", "cuda"}
    with pytest.raises(InputError, match="unknown device 'gpu'; choose cpu, cuda or auto"):
        resolve_device("gpu")


def test_cuda_is_refused_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(InputError, match="no CUDA device was found"):
        resolve_device("cuda")
    assert resolve_device("auto").type == "cpu"


def test_a_device_without_double_precision_is_refused() -> None:
    with pytest.raises(InputError, match="device 'mps' does not serve"):
        resolve_device("mps")
