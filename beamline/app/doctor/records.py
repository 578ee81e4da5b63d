"""Reads every record of every device, and reports which do not reply or are not as expected."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite, isnan
from typing import Any

import numpy as np
from ophyd import Device
from ophyd.signal import EpicsSignalBase

from beamline.app.doctor.finding import BAD, NOTE, Finding, RecordReport
from beamline.formatting import printable
from beamline.station.connect import epics_signals
from devices.base.settings import PanelSetting, Setting
from devices.channel_access import NO_REPLY, PV

CONNECT_TIMEOUT = 3.0
"""Seconds to find all records together; with the reads below well within five."""
READ_TIMEOUT = 0.5
NEXT_TIMEOUT = 0.01
"""Read timeout (s) for further records of a server that has timed out once."""
SLOW = 0.1
"""Seconds above which the latency of a get is reported."""
AHEAD = 2.0
"""Seconds by which a time stamp may lie in the future."""
EPICS_BEGINNING = 631152000.0
"""1990, in seconds since 1970: the time stamp of a record that has never been processed."""
SEVERITIES = ("no alarm", "MINOR", "MAJOR", "INVALID")
MOTOR_SETPOINT = "user_setpoint"
SHOWN = 24
"""Characters of a value."""
SAME_UNIT = {"sec": "s", "volts": "v", "amps": "a", "degrees": "deg", "degree": "deg", "cts": "counts"}


@dataclass(frozen=True)
class _Query:
    device: str
    signal: EpicsSignalBase
    pv: PV
    is_set: bool
    """Whether sessions put to the record; some motor records are only read."""


def query_records(devices: Mapping[str, Device], *, read_only: bool = False) -> list[RecordReport]:
    """Read all records of built devices; puts nothing.

    Parameters
    ----------
    devices : mapping of str to ophyd.Device
        Name to device.
    read_only : bool
        Do not report records without write access.
    """
    query = [each for name, device in devices.items() for each in _records_of(name, device)]
    _wait([each.pv for each in query])
    silent: set[str] = set()
    return [_query_record(each, silent, read_only) for each in query]


def _records_of(name: str, device: Device) -> Iterator[_Query]:
    """Each record of a device, once."""
    seen: set[str] = set()
    for signal in epics_signals(device):
        for attribute in ("_read_pv", "_write_pv"):
            pv = getattr(signal, attribute, None)
            if pv is not None and pv.pvname not in seen:
                seen.add(pv.pvname)
                yield _Query(name, signal, pv, _is_set(signal) and pv is signal._write_pv)


def _is_set(signal: EpicsSignalBase) -> bool:
    of_sessions = isinstance(signal, Setting) and not isinstance(signal, PanelSetting)
    return of_sessions or signal.attr_name == MOTOR_SETPOINT


def _wait(pvs: list[PV]) -> None:
    deadline = time.monotonic() + CONNECT_TIMEOUT
    while time.monotonic() < deadline and not all(pv.connected for pv in pvs):
        time.sleep(0.02)


def _query_record(query: _Query, silent: set[str], read_only: bool) -> RecordReport:
    pv, about = query.pv, {"device": query.device, "signal": query.signal.attr_name, "pv": query.pv.pvname}
    if not pv.connected:
        return RecordReport(**about, findings=(_missing(query),))
    began = time.perf_counter()
    reply = _read(pv, NEXT_TIMEOUT if pv.host in silent else READ_TIMEOUT)
    latency = time.perf_counter() - began
    kind, count = pv.type.rpartition("_")[2], int(pv.count)
    if reply is None:
        silent.add(pv.host)
        message = "is connected and does not answer"
        todo = f"The server of {query.device} hangs: restart its IOC."
        return RecordReport(
            **about, there=True, kind=kind, count=count, findings=(Finding(pv.pvname, BAD, message, todo),)
        )
    control = {} if kind == "string" else _control(pv)
    unit = printable(control.get("units") or "")
    low, high = (float(control.get(key) or 0.0) for key in ("lower_ctrl_limit", "upper_ctrl_limit"))
    record = RecordReport(
        **about, there=True, kind=kind, count=count, value=_short(reply["value"], pv), unit=unit,
        limits=(low, high) if low < high else None, writable=bool(pv.write_access), latency=latency,
        age=_age(reply.get("timestamp")),
    )  # fmt: skip
    findings = tuple(_findings(query, record, reply, read_only))
    return RecordReport(**{**record.__dict__, "findings": findings})


def _missing(query: _Query) -> Finding:
    return Finding(
        query.pv.pvname, BAD, f"was not found within {CONNECT_TIMEOUT:g} s",
        f"Does `caget` find it? If not: start the IOC of {query.device}, or correct its prefix in the configuration, or"
        " set EPICS_CA_ADDR_LIST to where it is served.",
    )  # fmt: skip


def _read(pv: PV, timeout: float) -> dict[str, Any] | None:
    """Value, severity and time stamp by a get; None on timeout."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pyepics warns of timeouts that are reported here
        try:
            reply = pv.get_with_metadata(use_monitor=False, form="time", timeout=timeout)
        except NO_REPLY:
            return None
    return dict(reply) if reply is not None and reply.get("value") is not None else None


def _control(pv: PV) -> dict[str, Any]:
    """Unit and limits."""
    try:
        return dict(pv.get_ctrlvars(timeout=READ_TIMEOUT, warn=False) or {})
    except NO_REPLY:
        return {}


def _age(stamp: Any) -> float:
    if not isinstance(stamp, int | float) or stamp <= EPICS_BEGINNING + 86400:
        return float("nan")
    return time.time() - float(stamp)


def _short(value: Any, pv: PV) -> str:
    if pv.type.endswith("char") and isinstance(value, np.ndarray):
        return printable(bytes(value.astype(np.uint8)).split(b"\0")[0].decode(errors="replace"))[:SHOWN]
    if isinstance(value, np.ndarray):
        return f"{value.size} values" if value.size else "empty"
    if pv.type.endswith("enum") and pv.enum_strs and 0 <= int(value) < len(pv.enum_strs):
        name = pv.enum_strs[int(value)]
        return printable(name.decode(errors="replace") if isinstance(name, bytes) else name)[:SHOWN]
    return printable(f"{value:.7g}" if isinstance(value, float) else value)[:SHOWN]


def _findings(query: _Query, record: RecordReport, reply: Mapping[str, Any], read_only: bool) -> Iterator[Finding]:
    """Findings about a record that has replied."""
    if query.pv is getattr(query.signal, "_read_pv", None) and (odd := getattr(query.signal, "mismatch", str)()):
        message = odd.removeprefix(f"{record.pv} ")
        yield _bad(record, message, f"Does the prefix of {record.device} belong to this device?")
    yield from _of_value(record, reply)
    expected = getattr(query.signal, "_declared_units", None)
    if expected and record.unit and not _unit(expected).startswith(_unit(record.unit)):
        todo = "Set the record's EGU, or use the record that has this unit."
        yield _bad(record, f"is in {record.unit}, not in {expected}", todo)
    if query.is_set and not record.writable and not read_only:
        todo = "Ask for write access in the IOC's access security file."
        yield _bad(record, "refuses puts from this machine and user", todo)
    yield from _of_time(record)


def _bad(record: RecordReport, message: str, todo: str) -> Finding:
    return Finding(record.pv, BAD, message, todo)


def _of_value(record: RecordReport, reply: Mapping[str, Any]) -> Iterator[Finding]:
    value, severity = reply["value"], int(reply.get("severity") or 0)
    if isinstance(value, float) and isnan(value):
        yield _bad(record, "is not a number", "Look at the instrument behind it, then process the record.")
    if severity == 1:
        yield Finding(record.pv, NOTE, "is in MINOR alarm")
    elif severity:
        todo = f"Look at its alarm (`caget -a`) and at {record.device} itself."
        yield _bad(record, f"is in {SEVERITIES[min(severity, 3)]} alarm", todo)
    if outside := _outside(value, record.limits):
        yield Finding(record.pv, NOTE, outside)


def _of_time(record: RecordReport) -> Iterator[Finding]:
    if isnan(record.age):
        yield Finding(record.pv, NOTE, "has never been processed")
    elif record.age < -AHEAD:
        todo = "Set the clocks of its IOC and of this machine by the same time server (NTP)."
        yield _bad(record, f"has a time stamp {-record.age:.1f} s in the future", todo)
    if record.latency > SLOW:
        message = f"took {1e3 * record.latency:.0f} ms to answer"
        yield Finding(record.pv, NOTE, message, "Is the network or the IOC busy?")


def _outside(value: Any, limits: tuple[float, float] | None) -> str:
    if limits is None or not isinstance(value, int | float) or not isfinite(value) or limits[0] <= value <= limits[1]:
        return ""
    return f"is at {value:g}, outside its limits {limits[0]:g} to {limits[1]:g}"


def _unit(text: str) -> str:
    plain = text.strip().lower().replace("µ", "u").replace("^", "").replace("²", "2")
    return SAME_UNIT.get(plain, plain)
