"""How a scan with a fault may end, and what the next session reports."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping

from beamline.records.journal.ends import start_and_stop
from tests.chaos.fault import Fault
from tests.chaos.shift import Shift
from tests.chaos.violation import ViolationError

ASKED = tuple(128 + number for number in (signal.SIGTERM, signal.SIGHUP))
"""Exit status of a session that was asked to end."""


def after_a_scan(shift: Shift) -> None:
    """Between scans the laser shutter is shut."""
    if shift.get_shutter():
        raise ViolationError("the laser shutter is open after a scan")


def lives(shift: Shift, fault: Fault) -> str:
    """The session reports how its scan has ended."""
    ended = shift.end_scan()
    how = "session died" if ended is None else f"{ended['status']} {ended['error']}".strip()
    if ended is None or (ended["status"] != "success" and not fault.may_fail):
        raise ViolationError(f"the scan with the fault ended unexpectedly: {how}")
    return how


def reconnects(shift: Shift, fault: Fault) -> str:
    """The session goes on when its records are back."""
    how = lives(shift, fault)
    shift.ask("reconnect", "connected")
    return how


def killed(shift: Shift, fault: Fault) -> str:
    """The next session reports the run that was cut off and a laser shutter that is open, which the user then shuts."""
    cut_off = any(start_and_stop(path)[1] is None for path in shift.present_runs())
    shift.await_end(alone=True)  # its catalogue writer stores what is there, and ends by itself
    messages = shift.begin()
    if cut_off and not any("closed as interrupted" in sentence for sentence in messages):
        raise ViolationError(f"the run that was cut off is not reported at the next start: {messages}")
    is_open = shift.get_shutter()
    if is_open != any("laser shutter is open" in sentence for sentence in messages):
        raise ViolationError(f"the laser shutter reads {is_open}, and the next start reports {messages}")
    if is_open:
        shift.ask("shut", "shut")  # as the message advises
    return f"session killed with the laser shutter {'open' if is_open else 'shut'}"


def ended(shift: Shift, fault: Fault) -> str:
    """The session has shut the laser shutter and closed its runs; the next one finds nothing to close."""
    status = shift.await_end()
    if status not in ASKED:
        raise ViolationError(f"the session that was asked to end did so with status {status}")
    after_a_scan(shift)
    for path in shift.present_runs():
        start, stop = start_and_stop(path)
        named = "" if start is not None and "analysis_of" in start else "ended by SIG"  # no spectrum is a reason, too
        reason = (stop or {}).get("reason", "")
        if stop is None or (stop["exit_status"] != "success" and not (reason and named in reason)):
            raise ViolationError(f"{path.name} of a session that was asked to end: {stop}")
    runs = {uid[:8] for uid in shift.runs}  # an earlier full disk may have cost the stop document of another
    messages = shift.begin()
    if odd := [each for each in messages if "shutter" in each or ("interrupted" in each and _names(each, runs))]:
        raise ViolationError(f"after a session that was asked to end the next one reports {odd}")
    return f"session ended with status {status}"


def _names(message: str, uids: set[str]) -> bool:
    return any(uid in message for uid in uids)


ENDS: Mapping[str, Callable[[Shift, Fault], str]] = {
    "lives": lives,
    "reconnects": reconnects,
    "killed": killed,
    "ended": ended,
}
