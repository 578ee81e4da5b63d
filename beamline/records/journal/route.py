"""Which run a document belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# The field of each document that names its parent, tried in this order.
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
    """Follows documents from their parents up to the run start. Keeps uids only."""

    def __init__(self) -> None:
        self._run_of: dict[str, str] = {}

    def run_of(self, name: str, doc: Mapping[str, Any]) -> str | None:
        """The uid of the run of a document (other than a start), or None when nothing announced before leads to one."""
        for field in _PARENTS.get(name, ()):
            parent = doc.get(field)
            if parent is not None and parent in self._run_of:
                return self._run_of[parent]
        return None

    def learn(self, name: str, doc: Mapping[str, Any], run: str) -> None:
        """Remember that this document, as a parent of others, belongs to `run`."""
        if name in ("start", "descriptor", "resource", "stream_resource") and isinstance(doc.get("uid"), str):
            self._run_of[doc["uid"]] = run
