"""Which session controls the beamline, by its lock and by the record in an IOC, and whether other machines see them."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

from beamline.app.doctor.finding import BAD, GOOD, NOTE, Finding
from beamline.config.models import Configuration
from beamline.session.control_record import ControlRecord
from beamline.session.lock import lock_paths, signature
from devices.instruments.controller import Controller

BETWEEN_MACHINES = ("nfs", "cifs", "smb", "lustre", "gpfs", "ceph", "beegfs", "afs", "fuse.sshfs")
"""Prefixes of the types of network file systems."""
NOT_SHARED = ("nolock", "local_lock=all", "local_lock=flock")
"""Mount options that keep locks local to this machine."""


READ_ONLY = "Another session is read-only."


def check_controller(config: Configuration) -> Finding:
    """Report the controlling session, without touching the lock."""
    if (found := _locked_by(config)) is not None:
        holder, path = found
        message = f"process {holder} controls this beamline: {signature(path)}"
        return Finding("controller", NOTE, message, READ_ONLY)
    return Finding("controller", GOOD, "no session controls this beamline")


def _locked_by(config: Configuration) -> tuple[int, Path] | None:
    """Process that holds the lock, and the path of one of its files."""
    held = ((lock_holder(path), path) for path in lock_paths(config))
    return next(((holder, path) for holder, path in held if holder is not None), None)


def check_control_record(config: Configuration, controller: Controller | None) -> list[Finding]:
    """Compare the session named in the record with the holder of the lock; empty where there is no such record.

    A session of another machine that is named there is waited for until it puts its name again.
    """
    if controller is None or not controller.connected:
        return []
    record, what, pv = ControlRecord(controller, config.name), "control record", controller.text.pvname
    named, locked = record.named(), _locked_by(config)
    holder = str(locked[0]) if locked is not None else ""
    if not named:
        if not holder:
            return [Finding(what, GOOD, f"{pv} names no session")]
        todo = "Its configuration has no controller in [roles], or somebody has cleared the record."
        return [Finding(what, NOTE, f"{pv} names no session, but process {holder} has the lock", todo)]
    if f"@{socket.gethostname()} {holder} " in named:
        return [Finding(what, GOOD, f"{pv} names the session that has the lock: {named}")]
    if f"@{socket.gethostname()} " in named or not record.is_refreshed():
        message = f"{pv} names a session that is no more: {named}"
        return [Finding(what, NOTE, message, "The next session puts its own name.")]
    if holder:
        todo = "Two sessions control this beamline from two machines: end one of them."
        return [Finding(what, BAD, f"{pv} names {named}, but process {holder} of this machine has the lock", todo)]
    return [Finding(what, NOTE, f"{named} controls this beamline from another machine ({pv})", READ_ONLY)]


def check_lock(config: Configuration) -> Finding:
    """Report whether sessions on other machines see the same lock."""
    folder = config.control.lock
    if config.mode == "sim":
        return Finding("lock", GOOD, f"{folder}, for the simulated beamlines of this machine")
    if why := why_not_shared(folder):
        todo = "Where several machines reach the beamline set [control] lock to a folder that all of them mount."
        return Finding("lock", NOTE, f"{folder} guards this machine alone: {why}", todo)
    return Finding("lock", GOOD, f"{folder}, for all machines that mount it")


def why_not_shared(folder: Path, mounts: Path = Path("/proc/self/mounts")) -> str:
    """Why other machines do not see a lock in this folder; empty if they do."""
    found = ("", "", "")
    for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
        _, point, kind, options = line.split()[:4]
        point = point.replace("\\040", " ")
        if folder.is_relative_to(point) and len(point) >= len(found[0]):
            found = (point, kind, options)
    point, kind, options = found
    if not kind.startswith(BETWEEN_MACHINES):
        return f"{point or '/'} is a file system of this machine ({kind or 'unknown'})"
    return next((f"{point} is mounted with {each}" for each in NOT_SHARED if each in options.split(",")), "")


def lock_holder(path: Path) -> int | None:
    """Process that holds a file lock, from /proc/locks; None if there is none, or it is unknown."""
    with contextlib.suppress(OSError):
        inode = path.stat().st_ino
        for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
            fields = line.split()
            if "->" not in fields and fields[1] == "FLOCK" and int(fields[5].rpartition(":")[2]) == inode:
                return int(fields[4])
    return None
