"""State of session, beam, laser, jet and shutters, and what a scan waits for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf
from time import localtime
from typing import Any

from beamline.formatting import printable
from beamline.session.status_file import ENDED, SessionStatus
from plans.compilation.quality import Check

OLD = 5.0
"""Seconds after which the status of a session counts as old: it is written once a second."""
STATES = {"held": "controls the beamline", "gone": "LOST: it has died without its end", "none": "none"}


def status(session: str, found: SessionStatus | None, now: float) -> dict[str, Any]:
    """What the session has written about itself, as far as it is of now.

    Parameters
    ----------
    session : str
        ``held``, ``gone`` or ``none``.
    found : SessionStatus or None
    now : float
        Seconds since 1970.
    """
    fresh = found if found is not None and session == "held" and now - found.time < OLD else None
    return {
        "session": session,
        "words": STATES[session],
        "utc_offset": localtime(now).tm_gmtoff,
        "fresh": fresh is not None,
        "seen": round(found.time) if found is not None and fresh is None and found.state != ENDED else None,
        "engine": fresh.state if fresh is not None else "",
        "waits": [{"reason": printable(reason), "since": since} for reason, since in (fresh.waits if fresh else ())],
        "readings": [_reading(each) for each in (fresh.readings if fresh else ())],
    }


def _reading(reading: Mapping[str, Any]) -> dict[str, Any]:
    value, low, high = reading.get("value"), reading.get("low"), reading.get("high")
    state = _state(value, low, high)
    words = reading.get("words") or _words(value, low, high)
    return {
        "name": printable(reading.get("name", "")).replace(".", " ").replace("_", " "),
        "text": f"{words} {printable(reading.get('unit') or '')}".strip(),
        "state": state,
        "why": printable(reading.get("reason", "")) if state == "bad" else "",
    }


def _state(value: Any, low: Any, high: Any) -> str:
    """Whether a reading is within its limits; neutral without any."""
    if not isinstance(value, int | float):
        return "unknown"
    if low is None and high is None:
        return "neutral"
    return "good" if (-inf if low is None else low) <= value <= (inf if high is None else high) else "bad"


def _words(value: Any, low: Any, high: Any) -> str:
    """A flag as a word; other readings with four digits."""
    if not isinstance(value, int | float):
        return "not known"
    return ("no", "yes")[int(value)] if low == high and value in (0, 1) else f"{value:.4g}"


def last_dwell(data: Mapping[str, Any], checks: Iterable[Check], time: float) -> dict[str, Any]:
    """Readings of the newest dwell against the limits of the checks."""
    readings = [_checked(data, check) for check in checks if _applies(data, check)]
    return {"time": time, "quality": printable(data.get("quality", "good")), "readings": readings} if data else {}


def _applies(data: Mapping[str, Any], check: Check) -> bool:
    return check.applies_to(bool(data.get("laser_on"))) and isinstance(data.get(check.key), int | float)


def _checked(data: Mapping[str, Any], check: Check) -> dict[str, Any]:
    seconds = data.get(check.per) if check.per else 1.0
    value = float(check.value(data)) if isinstance(seconds, int | float) and seconds > 0 else float("nan")
    limits = {"low": check.low, "high": check.high, "reason": check.reason, "unit": "/s" if check.per else ""}
    return _reading({"name": check.key, "value": value if value == value else None, **limits})
