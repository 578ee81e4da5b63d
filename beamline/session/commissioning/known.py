"""The latest finding of each name: kept between sessions, recorded in start documents, listed with its age."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

from beamline.formatting import with_error
from beamline.session.persistent.state import StateFile, StoredFinding
from plans.commissioning.document import STREAM
from plans.commissioning.find import NOT_SET, SET, WENT_BACK

HOUR = 3600.0
COLUMNS = ("finding", "value", "verdict", "outcome", "age", "run")


class KnownFindings:
    """Subscribes to the documents of a RunEngine.

    Parameters
    ----------
    state_file : StateFile
    oldest_hours : float
        Age above which a finding is noted.
    notify : callable
        Called with messages for the user.
    """

    def __init__(self, state_file: StateFile, oldest_hours: float, notify: Callable[[str], None]) -> None:
        self._state_file, self._oldest, self._notify = state_file, oldest_hours, notify
        self._descriptors: dict[str, str] = {}

    def __call__(self, name: str, doc: Mapping[str, Any]) -> None:
        """Store the finding of an event."""
        if name == "start":
            self._descriptors = {}
            if doc.get("scan_set") and not doc.get("scan_index") and (note := self.note()):
                self._notify(note)
        elif name == "descriptor" and doc["name"] == STREAM:
            self._descriptors[doc["uid"]] = doc["run_start"]
        elif name == "event" and doc["descriptor"] in self._descriptors:
            self._store(stored(doc["data"], self._descriptors[doc["descriptor"]], doc["time"]))

    def _store(self, found: StoredFinding) -> None:
        state = self._state_file.state
        in_use = {**state.findings_in_use, **({found.name: found} if found.outcome == SET else {})}
        self._state_file.update(findings={**state.findings, found.name: found}, findings_in_use=in_use)
        self._notify(sentence(found))

    def entries(self) -> dict[str, str]:
        """Entry ``findings`` of start documents: by name, the uid of the run whose finding is in use."""
        return {name: found.uid for name, found in self._state_file.state.findings_in_use.items()}

    def in_use(self) -> dict[str, StoredFinding]:
        """By name, the findings that were set."""
        return dict(self._state_file.state.findings_in_use)

    def latest(self) -> dict[str, StoredFinding]:
        """By name, the latest findings, set or not."""
        return dict(self._state_file.state.findings)

    def why_not_set(self, name: str) -> str:
        """Why the latest finding of a name is not in use; empty if it is."""
        found = self._state_file.state.findings.get(name)
        if found is None:
            return "it was not made"
        return "" if found.outcome == SET else f"{found.outcome} ({found.reason.rstrip('.')})"

    def note(self) -> str:
        """A sentence about findings in use that are older than configured; empty without one."""
        old = [
            f"{name} ({age_text(found)})"
            for name, found in self._state_file.state.findings_in_use.items()
            if time.time() - found.time > self._oldest * HOUR
        ]
        listed = ", ".join(old)
        return f"Found more than {self._oldest:g} h ago: {listed}; find again what may have changed." if old else ""

    def table(self) -> str:
        """The latest of each, one a line of less than 80 characters."""
        found = self._state_file.state.findings.values()
        rows = [COLUMNS, *(_row(each) for each in found)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
        lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join(lines) if len(rows) > 1 else "Nothing has been found yet: RE(find_threshold()) is the first."


def stored(data: Mapping[str, Any], uid: str, when: float) -> StoredFinding:
    """A finding from its event."""
    value, stddev = (float(data[f"finding_{key}"]) for key in ("value", "stddev"))
    texts: dict[str, Any] = {
        key: str(data[f"finding_{key}"]) for key in ("name", "unit", "verdict", "reason", "outcome")
    }
    return StoredFinding(
        uid=uid,
        time=float(when),
        value=value if isfinite(value) else None,
        stddev=stddev if isfinite(stddev) else None,
        **texts,
    )


def sentence(found: StoredFinding) -> str:
    """One line about a finding."""
    value, stddev = numbers(found)
    number = value and f" {value} +- {stddev or 0} {found.unit}"
    return f"{found.name}:{number} {found.verdict}, {found.outcome}. {found.reason}"


def numbers(found: StoredFinding) -> tuple[str, str]:
    """Value and error as texts, with the digits that the error leaves; empty where there is none."""
    if found.value is None:
        return "", ""
    return with_error(found.value, found.stddev) if found.stddev else (f"{found.value:.8g}", "")


def age_text(found: StoredFinding) -> str:
    """Age in words."""
    hours = (time.time() - found.time) / HOUR
    if hours < 2:
        return f"{60 * hours:.0f} min ago"
    return f"{hours:.0f} h ago" if hours < 48 else f"{hours / 24:.0f} d ago"


def _row(found: StoredFinding) -> tuple[str, ...]:
    value = " +- ".join(filter(None, numbers(found)))
    value = f"{value} {found.unit}".strip() if value else ""
    outcome = next((short for short in (WENT_BACK, NOT_SET) if found.outcome.startswith(short)), found.outcome)
    return found.name, value, found.verdict, outcome, age_text(found), found.uid[:8]
