"""What happens beside the measurements and belongs in the record."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from nionswift_plugin.dkl.acquisition.dose import Charge

NoteKind = Literal["dose", "drift", "trouble"]


@dataclass(frozen=True)
class Note:
    """One entry.

    Attributes:
        kind: `dose` (electrons that belong to no measurement: survey, reference scans, failed sites), `drift` (where
            the sample was found) or `trouble` (what was noticed and put right).
        data: JSON-compatible values.
    """

    kind: NoteKind
    data: Mapping[str, Any] = field(default_factory=dict)


class Notebook:
    """Collects notes until somebody takes them; any thread may do either."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._notes: list[Note] = []

    def add(self, kind: NoteKind, **data: object) -> None:
        """Write an entry."""
        with self._lock:
            self._notes.append(Note(kind, data))

    def add_trouble(self, what: str) -> None:
        """Write down something that was noticed and put right."""
        self.add("trouble", what=what)

    def add_dose(self, what: str, charge: Charge) -> None:
        """Write down electrons that belong to no measurement."""
        if charge.seconds > 0:
            self.add("dose", what=what, **charge.to_json())

    def take(self) -> tuple[Note, ...]:
        """All entries since the last time, in order."""
        with self._lock:
            notes, self._notes = tuple(self._notes), []
        return notes
