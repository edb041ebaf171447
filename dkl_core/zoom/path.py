"""The frames of an experiment that zooms in level by level."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from numpy.typing import ArrayLike

from dkl_core.errors import InputError
from dkl_core.frame import Frame
from dkl_core.zoom.choose import ZoomDecision, next_frame
from dkl_core.zoom.sizes import ZoomRules, ZoomSize


@dataclass(frozen=True)
class ZoomPath:
    """The frames of one experiment that zooms in level by level.

    Attributes:
        current: the frame being explored.
        sizes: the sizes of the frames below the outermost.
        rules: what each frame must fulfil.
        visited: every frame chosen so far, in order, the outermost first.
        decisions: every decision, in order, those without a frame as well.
    """

    current: Frame
    sizes: tuple[ZoomSize, ...]
    rules: ZoomRules = field(default_factory=ZoomRules)
    visited: tuple[Frame, ...] = ()
    decisions: tuple[ZoomDecision, ...] = ()

    def __post_init__(self) -> None:
        if not self.visited:
            object.__setattr__(self, "visited", (self.current,))

    @property
    def finished(self) -> bool:
        """Whether the current frame is the innermost of the plan."""
        return self.current.level >= len(self.sizes)

    def step(
        self,
        sites: ArrayLike,
        score: ArrayLike,
        std: ArrayLike | None = None,
        shape: tuple[int, int] | None = None,
    ) -> ZoomPath:
        """Zoom in once more; see `next_frame` for the arguments.

        Returns:
            The path with the decision appended; its current frame is the new one, or the same where none qualifies.

        Raises:
            InputError: the plan is finished.
        """
        if self.finished:
            raise InputError(f"the zoom has reached its last level, {self.current.level}; add a size to go deeper")
        size = self.sizes[self.current.level]
        decision = next_frame(
            self.current, sites, score, size, std=std, visited=self.visited, rules=self.rules, shape=shape
        )
        decided = replace(self, decisions=(*self.decisions, decision))
        if decision.frame is None:
            return decided
        return replace(decided, current=decision.frame, visited=(*self.visited, decision.frame))

    def back(self) -> ZoomPath:
        """Return to the parent frame; the next step takes its best window that was not visited.

        Raises:
            InputError: the current frame is the outermost.
        """
        if self.current.parent is None:
            raise InputError("the current frame is the outermost; there is none to go back to")
        return replace(self, current=self.current.parent)
