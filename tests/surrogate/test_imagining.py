import contextlib
from collections.abc import Callable

import numpy as np
import pytest

from dkl_core.errors import InputError
from dkl_core.surrogate import MODELS, Prediction, Surrogate, SurrogateSettings

Fitted = Callable[..., Surrogate]
LINEAR = MODELS["linear"]
DEEP = SurrogateSettings(depth="always", iterations=5)


def same(left: Prediction, right: Prediction) -> bool:
    return all(np.array_equal(getattr(left, name), getattr(right, name)) for name in ("mean", "std", "ensemble_std"))


@pytest.mark.parametrize("settings", [LINEAR, DEEP])
def test_only_the_uncertainty_shrinks(fitted: Fitted, settings: SurrogateSettings) -> None:
    surrogate = fitted(settings)
    before = surrogate.predict()
    with surrogate.imagining([3, 40]):
        within = surrogate.predict()
    assert np.array_equal(within.mean, before.mean)
    assert (within.gp_std <= before.gp_std).all()
    assert within.gp_std[3] < 0.9 * before.gp_std[3]
    assert within.gp_std[40] < 0.9 * before.gp_std[40]


def test_it_shrinks_as_much_as_by_a_real_measurement(fitted: Fitted) -> None:
    surrogate, other = fitted(LINEAR), fitted(LINEAR)
    other.update(3, 17.0)
    with surrogate.imagining([3]):
        assert np.array_equal(surrogate.predict().std, other.predict().std)


@pytest.mark.parametrize("settings", [LINEAR, DEEP])
def test_afterwards_everything_is_as_before(fitted: Fitted, settings: SurrogateSettings) -> None:
    surrogate, other = fitted(settings), fitted(settings)
    before = surrogate.predict()
    with surrogate.imagining([3, 40]):
        surrogate.imagine(5)
    assert same(surrogate.predict(), before)
    assert surrogate.count == 40
    for each in (surrogate, other):
        each.update(9, 1.0)
    assert same(surrogate.predict(), other.predict())


def test_also_after_an_error_inside(fitted: Fitted) -> None:
    surrogate = fitted(LINEAR)
    before = surrogate.predict()
    with contextlib.suppress(ZeroDivisionError), surrogate.imagining([3]):
        surrogate.imagine(4)
        raise ZeroDivisionError
    assert same(surrogate.predict(), before)


def test_also_when_a_later_site_does_not_exist(fitted: Fitted) -> None:
    surrogate = fitted(LINEAR)
    before = surrogate.predict()
    with pytest.raises(InputError, match="site 289 does not exist; there are 289"), surrogate.imagining([3, 289]):
        pass
    assert same(surrogate.predict(), before)


def test_blocks_can_stand_in_each_other(fitted: Fitted) -> None:
    surrogate = fitted(LINEAR)
    before = surrogate.predict()
    with surrogate.imagining([3]):
        outer = surrogate.predict()
        with surrogate.imagining([40]):
            assert surrogate.predict().std[40] < outer.std[40]
        assert same(surrogate.predict(), outer)
    assert same(surrogate.predict(), before)


def test_more_sites_than_the_buffers_hold_can_be_imagined(fitted: Fitted) -> None:
    surrogate = fitted(LINEAR)
    before = surrogate.predict()
    with surrogate.imagining(range(150)):
        assert (surrogate.predict().std[:150] < before.std[:150]).all()
    assert same(surrogate.predict(), before)


def test_a_sample_path_knows_of_what_is_imagined(fitted: Fitted) -> None:
    surrogate = fitted(LINEAR)
    believed = surrogate.predict()
    with surrogate.imagining([3] * 30):
        within = surrogate.predict().std[3]
        drawn = [surrogate.sample(np.random.default_rng(seed))[3] for seed in range(200)]
    assert np.mean(drawn) == pytest.approx(believed.mean[3], abs=5 * within / np.sqrt(200))
    assert np.std(drawn) == pytest.approx(within, rel=0.25)


def test_a_real_measurement_inside_would_be_lost_and_is_refused(fitted: Fitted) -> None:
    surrogate = fitted(LINEAR)
    with surrogate.imagining([3]):
        with pytest.raises(InputError, match="would be lost"):
            surrogate.update(4, 1.0)
        with pytest.raises(InputError, match="would be lost"):
            surrogate.fit([0, 1], [1.0, 2.0])
    surrogate.update(4, 1.0)
    assert surrogate.count == 41


def test_outside_a_block_nothing_can_be_imagined(fitted: Fitted) -> None:
    with pytest.raises(InputError, match="call it inside"):
        fitted(LINEAR).imagine(3)
