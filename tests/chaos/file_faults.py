"""Files that are moved, damaged or foreign, a full disk, and a clock that is set."""

from __future__ import annotations

import os
import random
import resource
import time
from collections.abc import Callable

from beamline.records.journal import damage, repair, run_files
from beamline.records.journal.ends import ends_with_stop
from tests.chaos.shift import Shift
from tests.chaos.violation import ViolationError

FOREIGN_CONTENT = b"TRXAS-J1 and what a user wrote"


def full_disk(shift: Shift, rng: random.Random) -> None:
    """Limit the file size of the session near that of the present runs, which acts as a full disk."""
    newest = max(path.stat().st_size for path in shift.present_runs())
    process, limit = shift.running.process.pid, newest + rng.randrange(3000)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    time.sleep(rng.uniform(0.1, 0.5))
    resource.prlimit(process, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def clock_step(shift: Shift, rng: random.Random) -> None:
    """The clock of the session's process is set while it scans; the next scans go on with it."""
    for _ in range(rng.choice([1, 2])):
        shift.running.command("clock", offset=rng.choice([-3600.0, 3600.0, 0.0, 12.0]))
        time.sleep(rng.uniform(0.0, 0.2))


def file_moved_away(shift: Shift, rng: random.Random) -> None:
    """A user moves the run files away while a scan is writing, and back."""
    away = shift.root / "archive"
    away.mkdir(exist_ok=True)
    moved = shift.present_runs()
    for path in moved:
        path.rename(away / path.name)
    time.sleep(rng.uniform(0.6, 1.5))
    for path in moved:
        (away / path.name).rename(path)
    away.rmdir()


def damaged_file(shift: Shift, rng: random.Random) -> None:
    """Flip one bit of an earlier run, check that it is detected and repaired, then restore the file."""
    others = {*shift.foreign, *shift.present_runs()}
    path = rng.choice([path for path in run_files(shift.root) if path not in others and ends_with_stop(path)])
    if damage(path):
        raise ViolationError(f"{path.name} is damaged before the fault: {damage(path)}")
    content = path.read_bytes()
    position, bit = rng.randrange(len(content)), rng.randrange(8)
    flipped = bytearray(content)
    flipped[position] ^= 1 << bit
    path.write_bytes(bytes(flipped))
    if not damage(path):
        raise ViolationError(f"bit {bit} of byte {position} of {path.name} is flipped, and no damage is reported")
    set_aside = repair(path).set_aside
    if set_aside is None:
        raise ViolationError(f"{path.name} is damaged and nothing was set aside")
    set_aside.unlink()
    path.write_bytes(content)


def foreign_file(shift: Shift, rng: random.Random) -> None:
    """Place something named like a run in the journal, which must stay untouched."""
    number = len(shift.foreign)
    path = shift.root / "journal" / f"2020-01-01T000000.000_{number:08d}-c0de.trxas"
    target = shift.folder / f"outside{number}"
    target.write_bytes(FOREIGN_CONTENT)
    kind = rng.choice(["link", "dangling", "folder", "pipe", "garbage"])
    makers: dict[str, Callable[[], object]] = {
        "link": lambda: path.symlink_to(target),
        "dangling": lambda: path.symlink_to(shift.folder / "nowhere"),
        "folder": path.mkdir,
        "pipe": lambda: os.mkfifo(path),
        "garbage": lambda: path.write_bytes(rng.randbytes(500)),
    }
    makers[kind]()
    content = path.read_bytes() if kind == "garbage" else b""
    shift.foreign[path] = (target, content)
