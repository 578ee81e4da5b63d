"""Points and passes excluded from the sums, with the reason; reversible, since nothing is ever deleted.

There are two kinds of entries: exclusions by the chain itself (a bad dwell, a saturated bunch), and decisions, by hand
or by a rule such as `find_outliers`, which can be undone. An exclusion is a sum over the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import EMPTY, OFF, ON
from reduction.counting.rows import DwellRows

Array = NDArray[np.float64]

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
    """

    pass_uid: str
    point: int
    reason: str
    note: str = ""

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
        self._decisions: dict[tuple[str, int], Entry] = {}
        self.decide(decisions)

    @property
    def decisions(self) -> tuple[Entry, ...]:
        """Decisions to exclude, in the order in which they were made."""
        return tuple(self._decisions.values())

    def decide(self, entries: Iterable[Entry]) -> None:
        """Replace all earlier decisions by these."""
        self._decisions = {(entry.pass_uid, entry.point): entry for entry in entries}

    @property
    def seen(self) -> dict[Entry, int]:
        """Exclusions by the chain itself, with their number of dwells."""
        return dict(self._seen)

    def leave_out(self, pass_uid: str, point: int | None = None, reason: str = "by hand", note: str = "") -> Entry:
        """Exclude a point of a pass, or the whole pass; a later decision about the same replaces the earlier one."""
        entry = Entry(pass_uid, -1 if point is None else int(point), reason, note)
        self._decisions[(entry.pass_uid, entry.point)] = entry
        return entry

    def take_back(self, pass_uid: str, point: int | None = None) -> Entry:
        """Undo a decision.

        Raises
        ------
        ValueError
            If there is no decision about this point or pass.
        """
        key = (pass_uid, -1 if point is None else int(point))
        if key not in self._decisions:
            what = "the whole pass" if point is None else f"point {point}"
            raise ValueError(f"{what} of {pass_uid[:8]} is not left out by a decision; see `decisions`")
        return self._decisions.pop(key)

    def observe(self, pass_uid: str, point: int, fault: str, dwells: int = 1) -> None:
        """Record dwells that the chain excluded."""
        entry = Entry(pass_uid, int(point), reason_of(fault), fault)
        self._seen[entry] = self._seen.get(entry, 0) + dwells

    def mask(self, pass_uids: Sequence[str], row_pass: NDArray[np.int64], points: int) -> NDArray[np.bool_] | None:
        """Dwells excluded by decisions, shape (N, R); None if no decision concerns these passes.

        Parameters
        ----------
        pass_uids : sequence of str
            Uids of the passes, by their number in `row_pass`.
        row_pass : ndarray of int, shape (R,)
            Number of the pass of each row of dwells.
        points : int
            N, points of the grid.

        Raises
        ------
        ValueError
            If a decision names a point that is not on the grid.
        """
        out = np.zeros((points, row_pass.size), np.bool_)
        entries = [entry for entry in self._decisions.values() if entry.pass_uid in pass_uids]
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
        return cls(Entry(e["scan"], int(e["point"]), e["reason"], e.get("note", "")) for e in entries)


def _plain(entry: Entry) -> dict[str, Any]:
    """The entry as stored in documents, where `pass_uid` is called ``scan``."""
    return {"scan": entry.pass_uid, "point": entry.point, "reason": entry.reason, "note": entry.note}


def reason_of(fault: str) -> str:
    """Reason for the fault of a dwell."""
    text = fault.lower()
    if "flux" in text or "i0" in text:
        return "I0"
    if LOCK.search(text):
        return "lock"
    return "saturation" if "satur" in text else "quality"


def find_outliers(pass_uids: Sequence[str], rows: DwellRows, limit: float = 6.0) -> tuple[Entry, ...]:
    """Points of a pass whose level deviates from that of the other passes, as proposed decisions.

    The level of a dwell is its rate over all slots relative to that of its pass (median over the points of the dwells
    in the same state relative to the mean of all passes), so that a thickness that changes from pass to pass
    does not count. The scale is the median absolute deviation, which outliers do not affect.

    Parameters
    ----------
    pass_uids : sequence of str
    rows : DwellRows
    limit : float
        Standard deviations.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        level = np.log(rows.slot_mu.sum(axis=2) / rows.flux)
    found: list[Entry] = []
    for state, name in ((OFF, "off"), (ON, "on")):
        mine = np.flatnonzero((rows.state == state).any(axis=0))
        values = np.where(rows.state[:, mine] == state, level[:, mine], np.nan)
        values[~np.isfinite(values)] = np.nan
        if np.count_nonzero(np.isfinite(values).sum(axis=1) >= 4) == 0:
            continue
        deviation = values - np.nanmedian(values, axis=1, keepdims=True)
        deviation -= np.nanmedian(deviation, axis=0, keepdims=True)
        scatter = 1.4826 * np.nanmedian(np.abs(deviation))
        for point, row in zip(*np.nonzero(np.abs(deviation) > limit * scatter), strict=True):
            away = deviation[point, row] / scatter
            note = f"laser {name}: {100 * np.expm1(deviation[point, row]):+.1f} % ({away:+.0f} standard deviations)"
            found.append(Entry(pass_uids[rows.pass_index[mine[row]]], int(point), "outlier", note))
    return tuple({(entry.pass_uid, entry.point): entry for entry in found}.values())


def without_pre_edge(pass_uids: Sequence[str], rows: DwellRows, pre_edge: NDArray[np.bool_]) -> tuple[Entry, ...]:
    """Passes without a point before the edge, as proposed decisions.

    Parameters
    ----------
    pass_uids : sequence of str
    rows : DwellRows
    pre_edge : ndarray of bool, shape (N,)
        Points of the pre-edge window.
    """
    there = (rows.state != EMPTY) & pre_edge[:, None]
    return tuple(
        Entry(uid, -1, "no pre-edge", "no point of the pre-edge window counts in this pass")
        for number, uid in enumerate(pass_uids)
        if not there[:, rows.pass_index == number].any()
    )
