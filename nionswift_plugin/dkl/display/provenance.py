"""Where a data item comes from, as its metadata say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dkl_core import __version__
from dkl_core.experiment import Experiment
from nionswift_plugin.dkl.display.words import Property


@dataclass(frozen=True)
class Provenance:
    """The run that data items belong to.

    Attributes:
        run: its file.
        shown: what it measures.
        host: how it was set up, see `plan.host_of`.
    """

    run: Path
    shown: Property
    host: Mapping[str, Any] = field(default_factory=dict)

    def of(self, role: str, experiment: Experiment, **more: Any) -> dict[str, Any]:
        """What the metadata of one data item say; JSON-compatible.

        Args:
            role: what the item is for.
            experiment: at the moment.
            **more: what belongs to this item only.
        """
        settings = experiment.settings
        return {
            "role": role,
            "run": str(self.run),
            "property": self.shown.name,
            "unit": self.shown.unit,
            "measured": len(experiment.told),
            "sites": len(experiment.sites),
            "seed": settings.seed,
            "settings": settings.to_json(),
            "host": dict(self.host),
            "version": __version__,
            **more,
        }
