"""Whether the heartbeats of the servers count, and whether their clocks agree with that of this machine."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ophyd import Device

from beamline.app.doctor.finding import BAD, GOOD, Finding
from devices.base.heartbeat import Server

COUNTS_WITHIN = 2.5
"""Seconds within which a heartbeat must count."""
CLOCKS = 2.0
"""Largest difference between two clocks, s."""
PAUSE = 0.05


def check_servers(devices: Mapping[str, Device]) -> list[Finding]:
    """A finding for each server with a heartbeat; waits until all have counted, at most `COUNTS_WITHIN`.

    The time stamp of a new heartbeat is the server's clock.
    """
    servers = {name: device for name, device in devices.items() if isinstance(device, Server)}
    first = {name: _count(server) for name, server in servers.items()}
    offsets: dict[str, float] = {}
    deadline = time.monotonic() + COUNTS_WITHIN
    there = {name: server for name, server in servers.items() if first[name] is not None}
    while len(offsets) < len(there) and time.monotonic() < deadline:
        for name, server in there.items():
            if name not in offsets and _count(server) != first[name]:
                offsets[name] = float(server.heartbeat.timestamp) - time.time()
        time.sleep(PAUSE)
    return [_finding(name, server, first[name], offsets.get(name)) for name, server in servers.items()]


def _count(server: Server) -> Any:
    """The latest monitored value; None while disconnected."""
    return server.heartbeat._readback if server.heartbeat.connected else None


def _finding(name: str, server: Server, first: Any, offset: float | None) -> Finding:
    pv = server.heartbeat.pvname
    what = f"server {name.removesuffix('_server')}"
    if first is None:
        return Finding(what, BAD, f"{pv} is not there", f"Start the IOC, or correct the prefix of {name}.")
    if offset is None:
        message = f"{pv} has not counted for {COUNTS_WITHIN:g} s: its values are old"
        return Finding(what, BAD, message, "Restart the IOC; until then its readings are refused.")
    if abs(offset) > CLOCKS:
        message = f"counts, but its clock is {offset:+.1f} s off this machine's"
        return Finding(
            what, BAD, message, "Synchronise both with the same time server (NTP): their events would not match."
        )
    return Finding(what, GOOD, f"counts; its clock agrees within {CLOCKS:g} s ({offset:+.2f} s)")
