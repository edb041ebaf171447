"""Experiments to begin with: sensible first ones, and those of the literature."""

from __future__ import annotations

import gettext
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from nionswift_plugin.dkl.panel.model import PanelSettings

_ = gettext.gettext
# Of Roccapriore et al., ACS Nano 16, 7605 (2022): patches of 12 px, 100 measurements, expected improvement.
_PUBLISHED: Mapping[str, Any] = {"patch_px": 12, "every_px": 1, "sites": 100, "strategy": "ei"}
# What a preset leaves as the user has it: the microscope, the frame, where runs go.
_KEPT = {"instrument", "camera", "survey_px", "fov_nm", "dwell_us", "current_pa", "binning", "mode", "folder"}


@dataclass(frozen=True)
class Preset:
    """A named starting point.

    Attributes:
        name: as the panel lists it.
        changes: what differs from the defaults.
    """

    name: str
    changes: Mapping[str, Any]

    def applied(self, settings: PanelSettings) -> PanelSettings:
        """The preset with the microscope, the frame and the drawn regions of these settings."""
        kept = _KEPT | {"region", "forbidden"}
        mine = {item.name: getattr(settings, item.name) for item in fields(settings) if item.name in kept}
        return PanelSettings(**{**mine, **self.changes})


def presets() -> tuple[Preset, ...]:
    """All presets, the first one for a first experiment."""
    return (
        Preset(_("First look: strongest electric field"), {}),
        Preset(_("Map what is unknown: electric field"), {"aim": "explore"}),
        Preset(_("No property yet: unusual structure"), {"aim": "structure"}),
        Preset(_("Published: |CoM| (Roccapriore 2022)"), {**_PUBLISHED, "measured": "com_magnitude"}),
        Preset(_("Published: annular bright field (2022)"), {**_PUBLISHED, "measured": "annular_bright_field"}),
        Preset(_("Published: Bragg distance (2022)"), {**_PUBLISHED, "measured": "bragg_distance"}),
        Preset(_("Strain of a flake"), {"measured": "strain_xx", "patch_px": 24}),
    )
