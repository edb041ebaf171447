"""The next frame is the window that holds most, as the published functions have it."""

from __future__ import annotations

import pytest

PIXELS, OLD, NEW = 512, 250.0, 50.0
WINDOW = 102


def by_definition(rows, weights, pixels=PIXELS, window=WINDOW):
    """Every window of the published grid scored by itself; the first of the best."""
    half = window // 2
    axis = [place for place in range(0, pixels, 10) if place >= half and place - half + window <= pixels]
    best, answer = 0.0, None
    for y in axis:
        for x in axis:
            score = sum(
                weight
                for (px, py), weight in zip(rows, weights, strict=True)
                if 0 < px - (x - window / 2) <= window and 0 < py - (y - window / 2) <= window
            )
            if score > best:
                best, answer = score, (x, y)
    return answer


@pytest.fixture
def rows(rng):
    return [(int(x) * 10, int(y) * 10) for x, y in rng.integers(2, 50, (30, 2))]


@pytest.mark.parametrize("weighted", [False, True])
def test_the_window_with_the_highest_score_is_taken(vi, rows, rng, weighted):
    scalars = rng.uniform(1, 9, len(rows)).round(3).tolist()
    vi.write_rows([(x, y, s, 0, x / 2, y / 2) for (x, y), s in zip(rows, scalars, strict=True)])
    session = vi.new_session()
    function = session.zoom.next_scan_coordWeight if weighted else session.zoom.next_scan_coords
    x, y = by_definition(rows, scalars if weighted else [1.0] * len(rows))
    answer = function(vi.compilation.name, PIXELS, OLD, NEW)
    assert answer == pytest.approx([x / PIXELS * OLD, y / PIXELS * OLD])


def test_a_full_path_is_taken_as_it_is(vi, rows, tmp_path, monkeypatch):
    vi.write_rows([(x, y, 1.0, 0, 0, 0) for x, y in rows])
    session = vi.new_session()
    by_name = session.zoom.next_scan_coords(vi.compilation.name, PIXELS, OLD, NEW)
    assert session.zoom.next_scan_coords(str(vi.compilation), PIXELS, OLD, NEW) == by_name


@pytest.mark.parametrize("scalars", [[], [0.0, 0.0], [-3.0, -1.0]])
def test_where_nothing_scores_the_window_in_the_middle_is_given(vi, scalars):
    vi.write_rows([(100 + 10 * number, 100, scalar, 0, 0, 0) for number, scalar in enumerate(scalars)])
    session = vi.new_session()
    answer = session.zoom.next_scan_coordWeight(vi.compilation.name, PIXELS, OLD, NEW)
    assert answer == pytest.approx([260 / PIXELS * OLD] * 2)
    assert "no window scores above zero" in session.dkl.last_error()[1]


@pytest.mark.parametrize(
    "arguments",
    [
        ("none.txt", 512, OLD, NEW),
        ("", 0, OLD, NEW),
        ("x", 2**62, OLD, NEW),
        ("x", 512, OLD, 2 * OLD),
        ("x", 512, OLD, 0),
        ("x", "", OLD, None),
    ],
)
def test_what_cannot_be_used_gives_the_middle_of_the_frame_and_the_reason(vi, arguments):
    session = vi.new_session()
    assert session.zoom.next_scan_coords(*arguments) == [OLD / 2, OLD / 2]
    assert session.dkl.last_error()[0] == 3


def test_a_frame_without_width_gives_zero(vi):
    assert vi.new_session().zoom.next_scan_coords("x", 512, None, None) == [0.0, 0.0]
