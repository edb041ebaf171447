"""What a run in Swift needs to begin, and what its file keeps so that it can be set up again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dkl_core.errors import InputError
from dkl_core.experiment import ExperimentSettings, RecordedExperiment
from dkl_core.scalarizers import NamedScalarizer, get_scalarizer
from dkl_core.survey import SurveyImage
from nionswift_plugin.dkl.acquisition.settings import HookSettings

KIND = "swift"
RESUME = (
    "in Nion Swift, with Resume a run… of the DKL panel, or in a script with nionswift_plugin.dkl.session.Session("
    "microscope, Path(FILE)), the microscope as hook_settings_of and scalarizer_of of nionswift_plugin.dkl.plan say"
)


@dataclass(frozen=True, eq=False)
class NewRun:
    """A run that is to begin.

    Attributes:
        path: its file, ending in .h5.
        settings: everything that decides which sites are measured.
        survey: the survey image where it was taken before; None records one.
        mask: pixels where a site is allowed, the survey's shape; None allows all.
        positions: the user's own sites (M, 2) as (row, column); None lays a grid.
        host: what the file keeps beside that; see `host_of`.
        overwrite: replace a file that is there.
    """

    path: Path
    settings: ExperimentSettings
    survey: SurveyImage | None = None
    mask: NDArray[np.bool_] | None = None
    positions: ArrayLike | None = None
    host: Mapping[str, Any] = field(default_factory=dict)
    overwrite: bool = False

    def begun(self, survey: SurveyImage) -> RecordedExperiment:
        """The experiment on a survey image, with its file."""
        return RecordedExperiment.start(
            self.path,
            survey,
            self.settings,
            mask=self.mask,
            positions=self.positions,
            host=self.host,
            overwrite=self.overwrite,
        )


def host_of(hook: HookSettings, scalarizer: NamedScalarizer, device: str, **more: Any) -> dict[str, Any]:
    """What the file of a run keeps so that it can be set up again.

    Args:
        hook: how it acquires.
        scalarizer: what it measures; one that is not known by name has to be given again.
        device: the instrument, in words.
        **more: anything else, JSON-compatible.
    """
    options = dict(scalarizer.options)
    return {
        "kind": KIND,
        "resume": RESUME,
        "target": scalarizer.name,
        "options": options,
        "acquisition": hook.to_json(),
        "device": device,
        **more,
    }


def hook_settings_of(host: Mapping[str, Any]) -> HookSettings:
    """How a run acquired.

    Raises:
        InputError: it was not made in Swift.
    """
    _require_swift(host)
    return HookSettings.from_json(host["acquisition"])


def scalarizer_of(host: Mapping[str, Any]) -> NamedScalarizer:
    """What a run measured.

    Raises:
        InputError: it was not made in Swift.
        ScalarizerError: it was the user's own function, or an installed one that is gone.
    """
    _require_swift(host)
    return get_scalarizer(str(host["target"]), **host["options"])


def _require_swift(host: Mapping[str, Any]) -> None:
    if host.get("kind") != KIND:
        raise InputError(f"this run was made by {host.get('kind', 'an unknown host')!r}, not in Swift; resume it there")
