"""The sites of the published fitting grid, and which of them to measure when no model answers."""

import random
from array import array
from typing import Iterable, List, Optional, Sequence, Set, Tuple

_MOST_COMPARED = 4096


class Grid:
    """The candidate sites in the published order: row by row of the flipped image, columns within.

    A site is a multiple of the step in both directions whose whole window lies in the image and holds no NaN. Its
    window begins window // 2 pixels before it.

    Args:
        size: pixels per line, and lines.
        step: distance of neighbouring sites in pixels, 1 or more.
        window: edge of the window in pixels, 1 or more.
        flipped: heights (size * size,), row by row from y = 0; None where no pixel lacks data.
    """

    def __init__(self, size: int, step: int, window: int, flipped: Optional[Sequence[float]] = None) -> None:
        self.size, self.step, self.window = size, step, window
        axis = grid_axis(size, step, window)
        self.points: List[Tuple[int, int]] = [(x, y) for y in axis for x in axis]
        if flipped is not None and any(value != value for value in flipped):
            holes = _HoleCount(size, flipped)
            half = window // 2
            self.points = [(x, y) for x, y in self.points if not holes.within(x - half, y - half, window)]
        self._number = {point: index for index, point in enumerate(self.points)}

    def __len__(self) -> int:
        return len(self.points)

    def index_of(self, x: float, y: float) -> Optional[int]:
        """The number of the site at a pixel, None where there is none."""
        place = round(x), round(y)
        if abs(x - place[0]) > 0.01 or abs(y - place[1]) > 0.01:
            return None
        return self._number.get(place)


def grid_axis(size: int, step: int, window: int) -> List[int]:
    """The coordinates of the sites along one direction."""
    half = window // 2
    return [place for place in range(0, size, step) if place >= half and place - half + window <= size]


def first_site(step: int, window: int) -> Tuple[int, int]:
    """The first site of every image that has any, whatever its size."""
    place = -(-(window // 2) // step) * step
    return place, place


def flipped_rows(values: Sequence[float], size: int) -> "array[float]":
    """The image with its last row first."""
    turned = array("d")
    for row in range(size - 1, -1, -1):
        turned.extend(values[row * size : (row + 1) * size])
    return turned


def seed_order(count: int, seed: int) -> List[int]:
    """All sites in an order that depends on the seed alone; no site twice.

    `Random.random` gives the same numbers under every Python, unlike `shuffle` and `sample`.
    """
    numbers = random.Random(seed)
    keys = [numbers.random() for _ in range(count)]
    return sorted(range(count), key=keys.__getitem__)


def most_remote(grid: Grid, measured: Iterable[int], closed: Set[int]) -> Optional[int]:
    """The open site farthest from everything that was measured or tried; the first of equals.

    Args:
        grid: the sites.
        measured: sites to keep away from.
        closed: sites that may not be chosen.

    Returns:
        Its number, None when no site is open.
    """
    candidates = [index for index in range(len(grid)) if index not in closed]
    thinned = candidates[:: max(1, len(candidates) // _MOST_COMPARED)]
    if not thinned:
        return None
    far = [float("inf")] * len(thinned)
    for index in set(measured):
        x0, y0 = grid.points[index]
        for place, candidate in enumerate(thinned):
            x, y = grid.points[candidate]
            distance = (x - x0) * (x - x0) + (y - y0) * (y - y0)
            if distance < far[place]:
                far[place] = distance
    return thinned[max(range(len(thinned)), key=lambda place: (far[place], -place))]


class _HoleCount:
    """How many pixels without data a window holds, from a summed-area table."""

    def __init__(self, size: int, values: Sequence[float]) -> None:
        self._width = size + 1
        self._table = table = array("l", [0]) * (self._width * self._width)
        for row in range(size):
            total = 0
            above, here = row * self._width, (row + 1) * self._width
            for col in range(size):
                value = values[row * size + col]
                total += value != value
                table[here + col + 1] = table[above + col + 1] + total

    def within(self, x: int, y: int, window: int) -> int:
        top, bottom, table = y * self._width, (y + window) * self._width, self._table
        return table[bottom + x + window] - table[top + x + window] - table[bottom + x] + table[top + x]
