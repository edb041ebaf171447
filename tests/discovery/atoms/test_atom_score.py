from __future__ import annotations

import numpy as np

from dkl_core.discovery.atoms.score import scored

TRUE = np.array([[10.0, 10.0], [10.0, 11.0], [20.0, 20.0], [1.0, 1.0]])


def test_one_position_may_serve_two_atoms_but_matches_one() -> None:
    score = scored(np.array([[10.0, 10.4], [20.0, 20.0]]), TRUE, 1.0, (32, 32), 3.0)
    assert score.atoms == 3
    assert score.within == 1.0
    assert score.matched == 2 / 3
    assert score.false == score.stray == 0.0


def test_false_and_stray_positions() -> None:
    found = np.array([[10.0, 10.0], [10.0, 11.0], [20.0, 20.0], [20.0, 20.5], [27.0, 27.0]])
    score = scored(found, TRUE, 1.0, (32, 32), 3.0)
    assert score.matched == 1.0
    assert score.false == 2 / 5
    assert score.stray == 1 / 5


def test_nothing_found() -> None:
    score = scored(np.zeros((0, 2)), TRUE, 1.0, (32, 32), 3.0)
    assert (score.within, score.false) == (0.0, 0.0)
