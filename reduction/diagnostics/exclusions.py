"""Points and passes excluded from the sums, with the reason; reversible, since nothing is ever deleted.

There are two kinds of entries: exclusions by the chain itself (a bad dwell, a saturated bunch), and decisions by hand,
which can be undone. An exclusion is a sum over the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LOCK = re.compile(r"(?<![a-z])(un)?lock")
"""Not the clock of a gate."""
REASONS = ("I0", "lock", "saturation", "no pre-edge", "outlier", "by hand", "quality")


@dataclass(frozen=True)
class Entry:
    """One exclusion.

    Attributes
    ----------
    pass_uid : str
        Uid of the pass.
    point : int
        Index on the grid; -1 for the whole pass.
    reason : str
        One of `REASONS`.
    note : str
        Free text.
    detector : str
        Name of the only detector that is excluded; empty for all.
    """

    pass_uid: str
    point: int
    reason: str
    note: str = ""
    detector: str = ""

    def __post_init__(self) -> None:
        if self.reason not in REASONS:
            raise ValueError(f"the reason must be one of {', '.join(REASONS)}, not {self.reason!r}")
        if self.point < -1:
            raise ValueError(f"a point is an index on the grid, or -1 for the whole pass, not {self.point}")


class Exclusions:
    """Decisions and observations about a set of passes.

    Parameters
    ----------
    decisions : iterable of Entry
    """

    def __init__(self, decisions: Iterable[Entry] = ()) -> None:
        self._seen: dict[Entry, int] = {}
        self._decisions: dict[tuple[str, int, str], Entry] = {}
        self.decide(decisions)

    @property
    def decisions(self) -> tuple[Entry, ...]:
        """Decisions to exclude, in the order in which they were made."""
        return tuple(self._decisions.values())

    def decide(self, entries: Iterable[Entry]) -> None:
        """Replace all earlier decisions by these."""
        self._decisions = {_key(entry): entry for entry in entries}

    @property
    def seen(self) -> dict[Entry, int]:
        """Exclusions by the chain itself, with their number of dwells."""
        return dict(self._seen)

    def leave_out(
        self, pass_uid: str, point: int | None = None, reason: str = "by hand", note: str = "", detector: str = ""
    ) -> Entry:
        """Exclude a point of a pass, or the whole pass, of one detector or all.

        A later decision about the same replaces the earlier one.
        """
        entry = Entry(pass_uid, -1 if point is None else int(point), reason, note, detector)
        self._decisions[_key(entry)] = entry
        return entry

    def take_back(self, pass_uid: str, point: int | None = None, detector: str = "") -> Entry:
        """Undo a decision.

        Raises
        ------
        ValueError
            If there is no decision about this point or pass.
        """
        key = (pass_uid, -1 if point is None else int(point), detector)
        if key not in self._decisions:
            what = "the whole pass" if point is None else f"point {point}"
            of = f" of detector {detector}" if detector else ""
            raise ValueError(f"{what} of {pass_uid[:8]}{of} is not left out by a decision; see `decisions`")
        return self._decisions.pop(key)

    def detectors_out(self, pass_uids: Sequence[str]) -> set[tuple[str, str]]:
        """Whole passes that are excluded for one detector, as (uid of the pass, detector)."""
        entries = self._decisions.values()
        return {(e.pass_uid, e.detector) for e in entries if e.detector and e.point < 0 and e.pass_uid in pass_uids}

    def observe(self, pass_uid: str, point: int, fault: str, dwells: int = 1) -> None:
        """Record dwells that the chain excluded."""
        entry = Entry(pass_uid, int(point), reason_of(fault), fault)
        self._seen[entry] = self._seen.get(entry, 0) + dwells

    def mask(
        self, pass_uids: Sequence[str], row_pass: NDArray[np.int64], points: int, detector: str = ""
    ) -> NDArray[np.bool_] | None:
        """Dwells excluded by decisions, shape (N, R); None if no decision concerns these passes.

        Parameters
        ----------
        pass_uids : sequence of str
            Uids of the passes, by their number in `row_pass`.
        row_pass : ndarray of int, shape (R,)
            Number of the pass of each row of dwells.
        points : int
            N, points of the grid.
        detector : str
            Include the decisions about this detector alone.

        Raises
        ------
        ValueError
            If a decision names a point that is not on the grid.
        """
        out = np.zeros((points, row_pass.size), np.bool_)
        entries = [entry for entry in self._decisions.values() if entry.pass_uid in pass_uids]
        entries = [entry for entry in entries if entry.detector in ("", detector)]
        for entry in entries:
            if entry.point >= points:
                raise ValueError(f"point {entry.point} of {entry.pass_uid[:8]} is outside the grid of {points} points")
            out[slice(None) if entry.point < 0 else entry.point, row_pass == pass_uids.index(entry.pass_uid)] = True
        return out if entries else None

    def to_list(self) -> list[dict[str, Any]]:
        """Decisions as plain values for a document."""
        return [_plain(entry) for entry in self._decisions.values()]

    def seen_to_list(self) -> list[dict[str, Any]]:
        """Observations as plain values for a document."""
        return [{**_plain(entry), "dwells": number} for entry, number in self._seen.items()]

    @classmethod
    def from_list(cls, entries: Iterable[Mapping[str, Any]]) -> Exclusions:
        """Decisions of a stored document."""
        return cls(
            Entry(e["scan"], int(e["point"]), e["reason"], e.get("note", ""), e.get("detector", "")) for e in entries
        )


def _plain(entry: Entry) -> dict[str, Any]:
    """The entry as stored in documents, where `pass_uid` is called ``scan``."""
    plain = {"scan": entry.pass_uid, "point": entry.point, "reason": entry.reason, "note": entry.note}
    return {**plain, "detector": entry.detector} if entry.detector else plain


def _key(entry: Entry) -> tuple[str, int, str]:
    return entry.pass_uid, entry.point, entry.detector


def reason_of(fault: str) -> str:
    """Reason for the fault of a dwell."""
    text = fault.lower()
    if "flux" in text or "i0" in text:
        return "I0"
    if LOCK.search(text):
        return "lock"
    return "saturation" if "satur" in text else "quality"
