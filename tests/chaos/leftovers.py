"""What a campaign must not leave behind: processes, threads, open files, ports, temporary files, locks."""

from __future__ import annotations

import fcntl
import os
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

MARK = "TRXAS_CHAOS"
"""Variable by which every process of a campaign is found, also after its parent has ended."""
KEPT = re.compile(
    r"MainThread|commands"  # of the session process
    r"|deadlines"  # the one of the process for timeouts of moves (devices.base.deadlines)
    r"|zarr_io|asyncio_\d|ThreadPoolExecutor"  # zarr, for the arrays of an embedded catalogue
    r"|metadata|monitor|get_put|util\d|debug_monitor"  # ophyd
    r"|bluesky-run-engine|Dummy"  # bluesky; callbacks of libca
)
"""Names of threads that live as long as their process: most are those of libraries, which have no end."""
LISTENING = "0A"
"""State of a socket in /proc/net/tcp."""


@contextmanager
def environment(**changes: str) -> Iterator[None]:
    """Change the environment of this process, and of those that it starts, for a while."""
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def processes(mark: str) -> dict[int, str]:
    """Processes that have been started with this mark, each with its command line."""
    entry = f"{MARK}={mark}".encode()
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if entry in (path / "environ").read_bytes().split(b"\0") and is_alive(int(path.name)):
                found[int(path.name)] = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
        except OSError:  # it has ended meanwhile, or belongs to another user
            continue
    return found


def is_alive(pid: int) -> bool:
    """Whether a process is alive (a zombie is not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def threads() -> set[str]:
    """Threads of this process, without those that libraries keep as long as it lives."""
    return {f"{each.name} ({each.ident})" for each in threading.enumerate() if not KEPT.match(each.name)}


def open_files(below: Path) -> list[str]:
    """Files below a folder that this process has open."""
    links = [path.readlink() for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    return sorted(str(link) for link in links if link.is_relative_to(below))


def used_ports(ports: Iterable[int]) -> list[str]:
    """Those of these ports that are bound: by a listening TCP socket, or for UDP."""
    found = []
    for kind in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/net/{kind}").read_text().splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            port = int(local.rpartition(":")[2], 16)
            if port in ports and (kind.startswith("udp") or state == LISTENING):
                found.append(f"{kind} {port}")
    return found


def held_locks(folder: Path) -> list[str]:
    """Files below a folder that somebody holds locked."""
    held = []
    for path in folder.rglob("*lock"):
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held.append(path.name)
    return held


def unfinished_files(folder: Path) -> list[str]:
    """Files of writes that were never finished, and of reserves."""
    paths = folder.rglob("*")
    return [str(path.relative_to(folder)) for path in paths if ".part" in path.name or "reserve" in path.name]
