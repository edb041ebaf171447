"""Measurements: what can be learned from, and why not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dkl_core.measurement import Measurement, Scalar


def test_a_finite_valid_number_can_be_learned_from() -> None:
    taken = Measurement.of(-3, noise_variance=0.1)
    assert taken.ok
    assert taken.reason == ""
    assert taken.scalar == Scalar(-3.0, noise_variance=0.1)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_a_failed_measurement_that_says_so(value: float) -> None:
    taken = Measurement.of(value)
    assert not taken.ok
    assert taken.reason == f"the scalar is {value}, which is not a finite number"


def test_an_invalid_scalar_is_never_used_even_if_it_has_a_value() -> None:
    taken = Measurement(Scalar.invalid("edge not found", value=1.2))
    assert not taken.ok
    assert (taken.reason, taken.scalar.value) == ("edge not found", 1.2)


def test_a_failed_measurement_keeps_its_reason_and_its_raw_data() -> None:
    taken = Measurement.failed("tip crash", raw=np.arange(3))
    assert not taken.ok
    assert taken.reason == "tip crash"
    assert taken.raw is not None
    assert taken.raw.tolist() == [0, 1, 2]
    assert math.isnan(taken.scalar.value)
