"""What the user does to a run by hand: reject the last measurement, take that back, send the next one somewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from dkl_core.errors import InputError
from dkl_core.measurement import Scalar, Site
from nionswift_plugin.dkl.acquisition.hook import SwiftMicroscope

if TYPE_CHECKING:
    from dkl_core.experiment import Experiment, Told

REJECTED = "rejected by the user"


class SteeredMicroscope(SwiftMicroscope):
    """A Swift microscope whose rejected measurements stay rejected when its reference is better known."""

    def __enter__(self) -> Self:
        """Take the instrument over."""
        super().__enter__()
        return self

    def revisions(self, told: Sequence[Told]) -> Mapping[int, Scalar]:
        """Scalars that change, but for those that the user rejected."""
        changes = super().revisions(told)
        return {number: scalar for number, scalar in changes.items() if not is_rejected(told[number])}


def is_rejected(told: Told) -> bool:
    """Whether the user rejected a measurement."""
    return told.measurement.scalar.reason == REJECTED


def reject_last(experiment: Experiment) -> Site:
    """Learn nothing from the last measurement; its site may be measured again.

    Raises:
        InputError: there is none, or it is of no use anyway.
    """
    told = experiment.told
    if not told:
        raise InputError("nothing is measured yet, so nothing can be rejected")
    last = told[-1]
    if not last.measurement.ok:
        raise InputError(f"the last measurement is not used anyway: {last.measurement.reason}")
    experiment.revise({len(told) - 1: replace(last.measurement.measured, valid=False, reason=REJECTED)})
    return last.site


def undo_last(experiment: Experiment) -> Site:
    """Use the measurement again that was rejected last.

    Raises:
        InputError: none was rejected.
    """
    for number, told in reversed(list(enumerate(experiment.told))):
        if is_rejected(told):
            experiment.revise({number: replace(_measured(told), valid=True, reason="")})
            return told.site
    raise InputError("no measurement was rejected, so there is nothing to undo")


def _measured(told: Told) -> Scalar:
    """What was measured, with its noise."""
    measured, original = told.measurement.measured, told.measurement.details.get("original")
    if measured.noise_variance is None and "measured" not in told.measurement.details and isinstance(original, Mapping):
        # Runs of earlier versions have kept the noise there alone.
        return replace(measured, noise_variance=original.get("noise_variance"))
    return measured


def measure_next(experiment: Experiment, row: float, col: float) -> Site:
    """Measure near a place of the survey image next.

    Raises:
        InputError: that site is measured, asked for or excluded already, or the run has ended.
    """
    if experiment.stop_reason is not None:
        raise InputError(f"the run has ended ({experiment.stop_reason}), so nothing is measured any more")
    return experiment.ask_for(row, col)
