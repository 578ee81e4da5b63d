"""Finds the run that a document belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# fields that name the parent of a document, tried in this order
_PARENTS: dict[str, tuple[str, ...]] = {
    "descriptor": ("run_start",),
    "event": ("descriptor",),
    "event_page": ("descriptor",),
    "stop": ("run_start",),
    "resource": ("run_start",),
    "datum": ("resource",),
    "datum_page": ("resource",),
    "stream_resource": ("run_start",),
    "stream_datum": ("descriptor", "stream_resource"),
}


class Router:
    """Follows parents of documents up to the run start. Stores uids only."""

    def __init__(self) -> None:
        self._run_of: dict[str, str] = {}

    def run_of(self, name: str, doc: Mapping[str, Any]) -> str | None:
        """The uid of the run of a document (other than a start), or None if its parents are unknown."""
        for field in _PARENTS.get(name, ()):
            parent = doc.get(field)
            if parent is not None and parent in self._run_of:
                return self._run_of[parent]
        return None

    def learn(self, name: str, doc: Mapping[str, Any], run: str) -> None:
        """Record that this document, a parent of others, belongs to `run`."""
        if name in ("start", "descriptor", "resource", "stream_resource") and isinstance(doc.get("uid"), str):
            self._run_of[doc["uid"]] = run
