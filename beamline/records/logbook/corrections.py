"""Corrections applied to start documents; the stored documents stay as they were written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from beamline.formatting import when
from beamline.records.logbook.entries import Correction

CORRECTED = "corrected"
"""Entry of a corrected start document, as readers have it: what was recorded, by whom it was corrected, and why."""


class Corrections:
    """The corrections of a logbook.

    Parameters
    ----------
    corrections : iterable of Correction
        The earliest first: the last one of an entry counts.
    """

    def __init__(self, corrections: Iterable[Correction] = ()) -> None:
        self._by_run: dict[str, list[Correction]] = {}
        for each in corrections:
            self._by_run.setdefault(each.run, []).append(each)

    def applied(self, start: Mapping[str, Any]) -> dict[str, Any]:
        """The start document of a raw run, or of its result, with corrected entries."""
        if not self._by_run and isinstance(start, dict):
            return start
        found, about = dict(start), dict[str, str]()
        for each in self._by_run.get(str(start.get("analysis_of") or start.get("uid")), ()):
            for key, value in each.entries.items():
                found[key] = value
                about[key] = _sentence(start.get(key), each)
        about = {key: text for key, text in about.items() if found[key] != start.get(key)}
        return {**found, CORRECTED: about} if about else found


def _sentence(before: Any, correction: Correction) -> str:
    was = f"was {before!r}" if before is not None else "was not recorded"
    why = f": {correction.reason}" if correction.reason else ""
    return f"{was}, corrected {when(correction.time)} by {correction.who}{why}"
