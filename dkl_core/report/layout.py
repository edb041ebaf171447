"""Where the panels of a run's figure go, so that square, wide and tall frames all fill the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dkl_core.report.geometry import Axis2D

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDE_FROM, TALL_TO = 1.7, 0.6


@dataclass(frozen=True)
class Page:
    """The empty panels of a figure.

    Attributes:
        survey: survey image and sites.
        maps: one per map.
        parity: measured against predicted.
        learning: learning curve.
    """

    survey: Axes
    maps: tuple[Axes, ...]
    parity: Axes
    learning: Axes

    @classmethod
    def of(cls, figure: Figure, axis: Axis2D, maps: int) -> Page:
        """The page for a survey image of that shape and that number of maps (0 to 3)."""
        left, right, bottom, top = axis.whole
        ratio = abs((right - left) / (top - bottom))
        if ratio > WIDE_FROM:
            return cls._wide(figure, maps)
        return cls._tall(figure, maps) if ratio < TALL_TO else cls._square(figure, maps)

    @classmethod
    def _square(cls, figure: Figure, maps: int) -> Page:
        columns = figure.add_gridspec(1, 2, width_ratios=[1, 1.35])
        left = columns[0].subgridspec(2, 1, height_ratios=[2.3, 1])
        right = columns[1].subgridspec(1 if not maps else 2, min(maps, 1) + 1)
        survey, learning = (figure.add_subplot(left[row]) for row in range(2))
        *panels, parity = (figure.add_subplot(right[divmod(index, 2)]) for index in range(maps + 1))
        return cls(survey, tuple(panels), parity, learning)

    @classmethod
    def _wide(cls, figure: Figure, maps: int) -> Page:
        rows = figure.add_gridspec(2, 1, height_ratios=[1 + maps // 2, 1.25])
        upper = rows[0].subgridspec(1 + maps // 2, 1 + min(maps, 1))
        lower = rows[1].subgridspec(1, 2, width_ratios=[2.2, 1])
        survey, *panels = (figure.add_subplot(upper[divmod(index, 2)]) for index in range(maps + 1))
        learning, parity = (figure.add_subplot(lower[column]) for column in range(2))
        return cls(survey, tuple(panels), parity, learning)

    @classmethod
    def _tall(cls, figure: Figure, maps: int) -> Page:
        columns = figure.add_gridspec(1, 2 + maps, width_ratios=[1.5, *[1] * maps, 2])
        right = columns[-1].subgridspec(2, 1, height_ratios=[1.4, 1])
        survey, *panels = (figure.add_subplot(columns[index]) for index in range(maps + 1))
        parity, learning = (figure.add_subplot(right[row]) for row in range(2))
        return cls(survey, tuple(panels), parity, learning)
