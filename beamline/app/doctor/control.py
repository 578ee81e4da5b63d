"""Who controls the beamline, and whether its lock reaches every machine that could."""

from __future__ import annotations

import contextlib
from pathlib import Path

from beamline.app.doctor.finding import GOOD, NOTE, Finding
from beamline.config.models import Configuration
from beamline.session.lock import lock_paths, signature

BETWEEN_MACHINES = ("nfs", "cifs", "smb", "lustre", "gpfs", "ceph", "beegfs", "afs", "fuse.sshfs")
"""How types of file systems begin that several machines mount."""
NOT_SHARED = ("nolock", "local_lock=all", "local_lock=flock")
"""Mount options with which locks stay on this machine all the same."""


def check_controller(config: Configuration) -> Finding:
    """Who controls the beamline, without touching the lock."""
    for path in lock_paths(config):
        if (holder := lock_holder(path)) is not None:
            told = f"process {holder} controls this beamline: {signature(path)}"
            return Finding("controller", NOTE, told, "Another session is read-only.")
    return Finding("controller", GOOD, "no session controls this beamline")


def check_lock(config: Configuration) -> Finding:
    """Whether sessions on other machines meet the same lock."""
    place = config.control.lock
    if config.mode == "sim":
        return Finding("lock", GOOD, f"{place}, for the simulated beamlines of this machine")
    if why := why_not_shared(place):
        todo = "Where several machines reach the beamline set [control] lock to a folder that all of them mount."
        return Finding("lock", NOTE, f"{place} guards this machine alone: {why}", todo)
    return Finding("lock", GOOD, f"{place}, for all machines that mount it")


def why_not_shared(place: Path, mounts: Path = Path("/proc/self/mounts")) -> str:
    """What keeps a lock in this folder from being seen by other machines; empty if nothing does."""
    found = ("", "", "")
    for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
        _, point, kind, options = line.split()[:4]
        point = point.replace("\\040", " ")
        if place.is_relative_to(point) and len(point) >= len(found[0]):
            found = (point, kind, options)
    point, kind, options = found
    if not kind.startswith(BETWEEN_MACHINES):
        return f"{point or '/'} is a file system of this machine ({kind or 'unknown'})"
    return next((f"{point} is mounted with {each}" for each in NOT_SHARED if each in options.split(",")), "")


def lock_holder(path: Path) -> int | None:
    """Process that holds a file lock, by what the kernel tells; None if nobody does, or it tells nothing."""
    with contextlib.suppress(OSError):
        inode = path.stat().st_ino
        for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
            words = line.split()
            if "->" not in words and words[1] == "FLOCK" and int(words[5].rpartition(":")[2]) == inode:
                return int(words[4])
    return None
