"""Changes of state of a measurement: a function of the documents of the journal and of what is seen beside them.

Nothing is read, sent or timed here, so that the same documents and looks always give the same messages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from beamline.config.notify import Kind
from beamline.formatting import duration, format_delay, when
from beamline.outputs.notify.dwells import hits_per_i0, is_locked, is_saturated
from beamline.outputs.notify.message import Message
from beamline.records.runs.run import seconds_of_event
from reduction.documents.raw import PRIMARY, is_reducible

Document = Mapping[str, Any]
SessionState = Literal["held", "gone", "none"]
"""A session controls the beamline, has died without its end, or there is none."""
IN_A_ROW = 3
"""Dwells that agree before rate or saturation count as changed."""
COLLAPSED, RECOVERED = 0.3, 0.6
"""Fraction of the rate of the same point in the pass before, below and above which it has changed."""
NEARLY_NOTHING = 0.03
"""In a first pass, the fraction of its highest rate instead."""
REDUCED_WITHIN = 60.0
"""Seconds after a run until its result must be there."""
FREED = 1.2
"""Free disk space over its limit, from which on it is no longer low."""
MARGIN = 1.05
"""Largest error over the target that counts as reached: the target is that of the predicted error."""


@dataclass
class _RawRun:
    """A raw run so far."""

    start: Document
    latest: float
    dwells: int = 0
    streams: dict[str, str] = field(default_factory=dict)
    rates: dict[tuple[int, int], float] = field(default_factory=dict)
    stop: Document | None = None
    reduced: bool = False


@dataclass
class _ReducedRun:
    """Errors of slot 0 over the laser-off rate, by point."""

    raw: str
    streams: dict[str, str] = field(default_factory=dict)
    errors: dict[int, float] = field(default_factory=dict)


class StateWatch:
    """State of one measurement; `take` and `look` return the messages of what has changed by them.

    Parameters
    ----------
    waiting_s : float
        Seconds without a dwell, beside its own time, from which on a scan waits.
    least_free_gb : float
        Free disk space below which it is low.
    """

    def __init__(self, waiting_s: float, least_free_gb: float) -> None:
        self._waiting_s, self._least_free_gb = waiting_s, least_free_gb
        self._raw: dict[str, _RawRun] = {}
        self._reduced: dict[str, _ReducedRun] = {}
        self._before: dict[str, dict[tuple[int, int], float]] = {}
        self._on: dict[str, bool] = {}
        self._row: dict[str, int] = {}
        self._targets: set[str] = set()
        self._current = ""
        self._looked = False

    def take(self, uid: str, name: str, doc: Document) -> list[Message]:
        """The next document of a run."""
        if name == "start":
            return list(self._start(uid, doc))
        if uid in self._reduced:
            return list(self._of_reduced(uid, name, doc))
        return list(self._of_raw(uid, name, doc)) if uid in self._raw else []

    def look(self, now: float, free_gb: float, session: SessionState) -> list[Message]:
        """What is seen beside the journal: the time (s since 1970), free disk space and the session."""
        if not self._looked:  # who died before this began is known already
            self._looked, self._on["session"] = True, session == "gone"
        found = [*self._disk(now, free_gb), *self._session(now, session)]
        run = self._raw.get(self._current)
        if run is not None and run.stop is None and session != "gone":
            found += self._waiting(run, now)
        return [*found, *self._missing_results(now)]

    def _start(self, uid: str, doc: Document) -> Iterator[Message]:
        raw = doc.get("analysis_of")
        if raw is not None:
            self._reduced[uid] = _ReducedRun(str(raw))
            return
        self._raw[uid] = _RawRun(doc, float(doc["time"]))
        self._current = uid
        yield from self._changed("waiting", False, "waiting", doc["time"], "", "going on", "a new run has begun", uid)
        for other in [each for each, run in self._raw.items() if run.stop is not None and run.reduced]:
            if other != uid:
                del self._raw[other]

    def _of_raw(self, uid: str, name: str, doc: Document) -> Iterator[Message]:
        run = self._raw[uid]
        if name == "descriptor":
            run.streams[doc["uid"]] = doc["name"]
        elif name == "event" and run.streams.get(doc["descriptor"]) == PRIMARY:
            yield from self._dwell(uid, run, doc)
        elif name == "stop":
            run.stop = doc
            if run.start.get("scan_set"):
                self._before[str(run.start["scan_set"])] = run.rates
            run.reduced = run.reduced or not (is_reducible(run.start) and run.dwells)
            yield from self._end(uid, run, doc)

    def _dwell(self, uid: str, run: _RawRun, doc: Document) -> Iterator[Message]:
        run.dwells, run.latest = run.dwells + 1, float(doc["time"])
        data, now = doc["data"], run.latest
        where = _where(run.start)
        yield from self._changed("waiting", False, "waiting", now, "", "going on", where, uid)
        if (locked := is_locked(data)) is not None:
            yield from self._changed("laser", not locked, "laser", now, "laser lost", "laser locked again", where, uid)
        yield from self._in_a_row("saturated", is_saturated(data), now, "detector saturated", "not saturated", uid)
        rate = hits_per_i0(data)
        if rate is not None and data.get("quality", "good") == "good":
            yield from self._rate(uid, run, rate, data, now)

    def _rate(self, uid: str, run: _RawRun, rate: float, data: Document, now: float) -> Iterator[Message]:
        place = int(data.get("point_index", 0)), int(data.get("segment", 0))
        before = self._before.get(str(run.start.get("scan_set")), {}).get(place)
        run.rates[place] = rate
        if before:
            low = rate < (RECOVERED if self._on.get("rate") else COLLAPSED) * before
        else:
            low = rate < NEARLY_NOTHING * max(run.rates.values())
        yield from self._in_a_row("rate", low, now, "count rate collapsed", "count rate is back", uid)

    def _end(self, uid: str, run: _RawRun, stop: Document) -> Iterator[Message]:
        start, now = run.start, float(stop.get("time", run.latest))
        status, reason = str(stop.get("exit_status", "unknown")), str(stop.get("reason") or "")
        scan_set = str(start.get("scan_set") or "")
        if status != "success":
            text = f"{_where(start)}: {reason or status}, after {run.dwells} dwells"
            yield Message("failed", now, f"run {status}", text, scan_set)
            return
        index, passes = start.get("scan_index"), start.get("passes")
        if not isinstance(index, int) or not isinstance(passes, int) or index + 1 >= passes:
            text = f"{_where(start)}: {run.dwells} dwells, {duration(max(0.0, now - float(start['time'])))}"
            yield Message("ended", now, f"{start.get('plan_name', 'run')} ended", text, scan_set)

    def _of_reduced(self, uid: str, name: str, doc: Document) -> Iterator[Message]:
        run = self._reduced[uid]
        if name == "descriptor":
            run.streams[doc["uid"]] = doc["name"]
        elif name == "event" and run.streams.get(doc["descriptor"]) == "points":
            data = doc["data"]
            rate, error = (np.ravel(data.get(key, np.nan))[0] for key in ("off", "difference_stddev"))
            if rate > 0:
                run.errors[int(data["point_index"])] = float(error / rate)
        elif name == "stop":
            del self._reduced[uid]
            raw = self._raw.get(run.raw)
            if raw is not None:
                raw.reduced = True
                yield from self._target(raw, run, float(doc.get("time", raw.latest)))

    def _target(self, raw: _RawRun, run: _ReducedRun, now: float) -> Iterator[Message]:
        target, scan_set = raw.start.get("target"), str(raw.start.get("scan_set") or "")
        if not isinstance(target, int | float) or scan_set in self._targets or not run.errors:
            return
        worst = max(run.errors.values())
        if len(run.errors) == raw.start.get("num_points") and worst <= MARGIN * target:
            self._targets.add(scan_set)
            text = f"{_where(raw.start)}: largest error {worst:.2g}, target {target:.2g}"
            yield Message("target", now, "target reached", text, scan_set)

    def _waiting(self, run: _RawRun, now: float) -> Iterator[Message]:
        seconds = max(seconds_of_event(run.start), _number(run.start.get("longest")))
        own = seconds / (_number(run.start.get("clock_rate")) or 1.0)
        waits = now - run.latest > self._waiting_s + own
        text = f"{_where(run.start)}: no dwell since {when(run.latest)}"
        if waits:
            title = f"waiting for {duration(self._waiting_s)}"
            yield from self._changed("waiting", True, "waiting", now, title, "", text, self._current)

    def _missing_results(self, now: float) -> Iterator[Message]:
        for uid, run in list(self._raw.items()):
            if run.stop is None or run.reduced or now - float(run.stop.get("time", now)) < REDUCED_WITHIN:
                continue
            run.reduced = True
            text = f"{_where(run.start)}: no result within {REDUCED_WITHIN:g} s; `trxas reduce {uid[:8]}` computes it"
            yield Message("degraded", now, "live reduction degraded", text)

    def _disk(self, now: float, free_gb: float) -> Iterator[Message]:
        low = free_gb < self._least_free_gb * (FREED if self._on.get("disk") else 1.0)
        text = f"{free_gb:.1f} GB are free"
        yield from self._changed("disk", low, "disk", now, "disk low", "disk has room again", text, "")

    def _session(self, now: float, session: SessionState) -> Iterator[Message]:
        run = self._raw.get(self._current)
        during = f"during {_where(run.start)}" if run is not None and run.stop is None else "between runs"
        text = f"{during}; the laser shutter may be open: start a session, or look"
        gone = session == "gone"
        yield from self._changed("session", gone, "session", now, "session lost", "a session is back", text, "")

    def _in_a_row(self, kind: Kind, active: bool, now: float, on: str, off: str, uid: str) -> Iterator[Message]:
        differs = active != self._on.get(kind, False)
        self._row[kind] = self._row.get(kind, 0) + 1 if differs else 0
        if self._row[kind] >= IN_A_ROW:
            self._row[kind] = 0
            yield from self._changed(kind, active, kind, now, on, off, _where(self._raw[uid].start), uid)

    def _changed(
        self, key: str, active: bool, kind: Kind, now: float, on: str, off: str, text: str, uid: str
    ) -> Iterator[Message]:
        """A message if this state has changed."""
        if self._on.get(key, False) == active:
            return
        self._on[key] = active
        run = self._raw.get(uid)
        scan_set = str(run.start.get("scan_set") or "") if run is not None else ""
        yield Message(kind, float(now), on if active else off, text, scan_set)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _where(start: Document) -> str:
    """Which run, in words."""
    index = start.get("scan_index")
    of_passes = f"pass {index + 1}/{start.get('passes', '?')}" if isinstance(index, int) else ""
    parts = (
        f"scan {start['scan_id']}" if "scan_id" in start else "", start.get("plan_name"), start.get("sample"),
        start.get("edge"), format_delay(start.get("pump_delay")), of_passes, f"run {str(start.get('uid'))[:8]}",
    )  # fmt: skip
    return ", ".join(str(part) for part in parts if part)
