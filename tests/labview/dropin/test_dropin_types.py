"""Property tests: whatever LabVIEW delivers, it gets what its terminals take, and nothing else."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ANYTHING: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(max_size=20),
    st.lists(st.floats(), max_size=4),
    st.tuples(st.integers(), st.text(max_size=3)),
)
SPECTRA = st.one_of(ANYTHING, st.lists(st.lists(st.floats(), max_size=5), max_size=5))
FEW = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def session(vi, heights):
    vi.write_scan(heights)
    vi.configure(deadline_s=0.51, alldata=False)
    return vi.new_session()


@FEW
@given(names=st.tuples(ANYTHING, ANYTHING), numbers=st.tuples(ANYTHING, ANYTHING, ANYTHING))
def test_a_decision_is_four_whole_numbers(session, names, numbers):
    answer = session.dkl.dkl_gpax_LV(*names, *numbers)
    assert type(answer) is list
    assert [type(item) for item in answer] == [int] * 4
    assert all(0 <= item < 2**31 for item in answer)
    assert answer[:2] != [0, 0] or numbers[1] in (1, True)


@FEW
@given(step=st.integers(-1, 70), window=st.integers(-1, 70), iteration=st.integers(-1, 40))
def test_with_an_image_a_decision_is_a_site_or_the_middle(session, step, window, iteration):
    x, y, index, count = session.dkl.dkl_gpax_LV("Exp_scan.txt", "Exp__compilation.txt", step, window, iteration)
    step, window = (given if given > 0 else otherwise for given, otherwise in ((step, 10), (window, 30)))
    axis = [place for place in range(0, 64, step) if place >= window // 2 and place - window // 2 + window <= 64]
    if not axis:
        assert (x, y, index, count) == (32, 32, 0, 0)
    else:
        assert (axis.index(y) * len(axis) + axis.index(x), len(axis) ** 2) == (index, count)


@FEW
@given(name=ANYTHING, spectrum=SPECTRA, place=st.tuples(ANYTHING, ANYTHING))
def test_a_scalar_is_a_finite_number(session, name, spectrum, place):
    answer = session.scalar.scalarizer(name, spectrum, *place)
    assert type(answer) is float
    assert math.isfinite(answer)


@FEW
@given(arguments=st.tuples(ANYTHING, ANYTHING, ANYTHING, ANYTHING), weighted=st.booleans())
def test_a_next_frame_is_two_finite_numbers(session, arguments, weighted):
    function = session.zoom.next_scan_coordWeight if weighted else session.zoom.next_scan_coords
    answer = function(*arguments)
    assert type(answer) is list
    assert [type(item) for item in answer] == [float, float]
    assert all(math.isfinite(item) and item >= 0 for item in answer)


def test_an_error_is_a_number_and_a_text(session):
    for module in (session.dkl, session.scalar):
        answer = module.last_error()
        assert type(answer) is tuple
        assert [type(item) for item in answer] == [int, str]
