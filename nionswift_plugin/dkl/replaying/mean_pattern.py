"""The mean pattern of a recorded set, in place of the live pattern of a camera."""

from __future__ import annotations

import gettext
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from nion.data.Calibration import Calibration
from nion.data.DataAndMetadata import DataAndMetadata, new_data_and_metadata

from dkl_core.errors import InputError
from dkl_core.scalarizers.pattern import COUNTS_PER_ELECTRON, Pattern
from nionswift_plugin.dkl.acquisition.main_loop import MainLoop
from nionswift_plugin.dkl.display import workspace
from nionswift_plugin.dkl.display.patterns import angles, centre_of, middle_of
from nionswift_plugin.dkl.display.publish import METADATA_KEY, Look, Stage, new_item
from nionswift_plugin.dkl.panel.lanes import Lane
from nionswift_plugin.dkl.replaying.sets import RecordedSet

if TYPE_CHECKING:
    from nion.swift.model.DataItem import DataItem

_ = gettext.gettext
# So many patterns, evenly spread, make the mean.
_COUNT = 100


class MeanPattern:
    """Shows the mean pattern of a set as a data item, one per set; for the main thread.

    Args:
        stage: where.
        main: Swift's main thread.
        complain: gets what went wrong.
    """

    def __init__(self, stage: Stage, main: MainLoop, complain: Callable[[Exception], object]) -> None:
        self._stage, self._complain = stage, complain
        self._lane = Lane(main, "dkl-mean-pattern")
        self._uuids: dict[str, str] = {}

    def show(self, recorded: RecordedSet, then: Callable[[DataItem], object]) -> None:
        """Make the data item where there is none.

        Args:
            recorded: the set.
            then: gets the data item, on the main thread.
        """
        item = self._item(recorded.key)
        if item is not None:
            then(item)
            return

        def done(xdata: DataAndMetadata) -> None:
            look = Look("mean_pattern", _("{title}: mean pattern").format(title=recorded.title), "black_body")
            made = new_item(self._stage, xdata, look)
            self._uuids[recorded.key] = str(made.uuid)
            shown = self._stage.document_model.get_display_item_for_data_item(made)
            if shown is not None and not workspace.place(self._stage.document_controller, "pattern", shown):
                self._stage.document_controller.show_display_item(shown, request_focus=False)
            then(made)

        self._lane.run(lambda: mean_pattern(recorded), done, self._complain)

    def close(self, timeout_s: float) -> None:
        """The window closes."""
        self._lane.close(timeout_s)

    def _item(self, key: str) -> DataItem | None:
        wanted = self._uuids.get(key)
        return next((item for item in self._stage.document_model.data_items if str(item.uuid) == wanted), None)


def mean_pattern(recorded: RecordedSet) -> DataAndMetadata:
    """The mean of patterns all over a set, corrected and calibrated in mrad as a camera's frame is.

    Raises:
        InputError: the set has no patterns, or does not say how large a detector pixel is.
    """
    raw = recorded.data.raw
    if raw is None:
        raise InputError(f"{recorded.title} has no patterns; choose a 4D set to see one")
    rows, cols = recorded.data.survey.shape
    chosen = np.unique(np.linspace(0, rows * cols - 1, _COUNT).round().astype(int))
    patterns = [raw.pattern((int(number) // cols, int(number) % cols)) for number in chosen]
    mean = np.mean([pattern.values for pattern in patterns], axis=0)
    mrad_per_px = patterns[0].mrad_per_px
    centre = centre_of(Pattern(mean, mrad_per_px)) or middle_of(mean.shape)
    counts = raw.constants.get(COUNTS_PER_ELECTRON)
    source = {} if counts is None else {"hardware_source": {"counts_per_electron": counts}}
    return new_data_and_metadata(
        mean.astype(np.float32),
        intensity_calibration=Calibration(units=_("counts")),
        dimensional_calibrations=angles(mrad_per_px, centre),
        metadata={METADATA_KEY: {"role": "mean_pattern", "replay": dict(recorded.provenance)}, **source},
    )
