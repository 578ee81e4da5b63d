"""How far the newest scan is, and what it measures."""

from __future__ import annotations

from typing import Any

from beamline.formatting import printable, when
from beamline.outputs.live_figure.scan import LiveScan
from beamline.outputs.live_figure.texts import (
    ALARM,
    CALM,
    CAUTION,
    GOOD,
    QUIET,
    described,
    headline,
    parts_done,
    sentences,
)

LEVELS = {CALM: "running", GOOD: "good", CAUTION: "caution", ALARM: "alarm", QUIET: "quiet"}
END_STEP = 10.0
"""The expected end is rounded to so many seconds, so that it changes seldom."""


def about(scan: LiveScan) -> dict[str, Any]:
    """What is measured, from the start document."""
    start = scan.start or {}
    users = start.get("users") or ()
    return {
        "title": described(scan),
        "simulated": start.get("mode") == "sim",
        "proposal": printable(start.get("proposal", "")),
        "sample": printable(start.get("sample", "")),
        "users": printable(", ".join(map(str, users)) if isinstance(users, list | tuple) else users),
        "scan": start.get("scan_id") if isinstance(start.get("scan_id"), int) else None,
        "uid": str(start.get("uid", ""))[:8],
        "scan_set": str(start.get("scan_set", ""))[:8],
    }


def progress(scan: LiveScan, now: float) -> dict[str, Any]:
    """State, passes, points and expected end, `now` in seconds since 1970."""
    made = scan.progress
    silence, left = made.silent_for(now), made.seconds_left(now)
    state = headline(scan, now)
    text = (
        f"NO DWELL SINCE {when(now - silence)[11:]}" if silence is not None and "NO DWELL" in state.text else state.text
    )
    part, done, number = parts_done(scan)
    return {
        "state": printable(text),
        "level": LEVELS[state.colour],
        "planned": bool(made.planned),
        "pass": made.index + 1,
        "passes": max(made.passes, made.index + 1),
        "part": part,
        "done": done,
        "parts": int(number),
        "percent": round(100 * made.fraction, 1),
        "ends": END_STEP * round((now + left) / END_STEP) if left is not None else None,
        "faults": len(scan.faults),
    }


def messages(scan: LiveScan) -> list[str]:
    """Bad dwells, saturation and notes of the reduction."""
    return [printable(each) for each in sentences(scan)]
