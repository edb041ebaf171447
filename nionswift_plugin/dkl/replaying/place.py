"""Where a session on recorded data runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nionswift_plugin.dkl.acquisition.settings import HookSettings
from nionswift_plugin.dkl.replaying.sets import Mask, RecordedSet

if TYPE_CHECKING:
    from dkl_core.scalarizers.registry import NamedScalarizer
    from nionswift_plugin.dkl.replaying.microscope import ReplayMicroscope

# In a run's file, where the data came from.
PROVENANCE = "replay"


@dataclass(frozen=True, eq=False)
class RecordedPlace:
    """Recorded data in place of instrument, scan and camera.

    Attributes:
        recorded: the set.
        consent: nothing is moved, so that nobody needs to agree.
    """

    recorded: RecordedSet
    consent: bool = True

    @property
    def name(self) -> str:
        """How to call it in messages and files."""
        return f"recorded data: {self.recorded.title}"

    @property
    def allowed(self) -> Mask | None:
        """Pixels of the survey image where something was recorded, None for everywhere."""
        return self.recorded.allowed

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Where measurements come from, for a run's file."""
        return {PROVENANCE: dict(self.recorded.provenance)}

    def microscope(self, _hook: HookSettings, scalarizer: NamedScalarizer) -> ReplayMicroscope:
        """The microscope that the set stands for."""
        from nionswift_plugin.dkl.replaying.microscope import ReplayMicroscope

        return ReplayMicroscope(self.recorded, scalarizer)

    def require_resumable(self, host: Mapping[str, Any], name: str) -> None:
        """See that a run was made on these data.

        Raises:
            InputError: it was not.
        """
        from dkl_core.errors import InputError

        made_on = host.get(PROVENANCE)
        if made_on is None:
            raise InputError(f"{name} was measured on a microscope, not replayed; choose that microscope to resume it")
        if any(made_on.get(which) != self.recorded.provenance.get(which) for which in ("path", "uuid")):
            raise InputError(f"{name} replays {made_on.get('name')}; choose that as the microscope to resume it")
