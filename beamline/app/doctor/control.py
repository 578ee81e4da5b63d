"""Which session controls the beamline, and whether other machines see its lock."""

from __future__ import annotations

import contextlib
from pathlib import Path

from beamline.app.doctor.finding import GOOD, NOTE, Finding
from beamline.config.models import Configuration
from beamline.session.lock import lock_paths, signature

BETWEEN_MACHINES = ("nfs", "cifs", "smb", "lustre", "gpfs", "ceph", "beegfs", "afs", "fuse.sshfs")
"""Prefixes of the types of network file systems."""
NOT_SHARED = ("nolock", "local_lock=all", "local_lock=flock")
"""Mount options that keep locks local to this machine."""


def check_controller(config: Configuration) -> Finding:
    """Report the controlling session, without touching the lock."""
    for path in lock_paths(config):
        if (holder := lock_holder(path)) is not None:
            message = f"process {holder} controls this beamline: {signature(path)}"
            return Finding("controller", NOTE, message, "Another session is read-only.")
    return Finding("controller", GOOD, "no session controls this beamline")


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
