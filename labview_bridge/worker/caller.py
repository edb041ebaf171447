"""Who asks: known to the methods of the worker while they answer."""

from __future__ import annotations

from contextvars import ContextVar

current_client: ContextVar[str] = ContextVar("current_client", default="")
"""The name that the asking client gave itself when it connected; one per loaded copy of the client's file."""
