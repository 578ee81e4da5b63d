"""The table of faults of a campaign. Each is caused during a scan, and ended before the next."""

from __future__ import annotations

import os
import random
import resource
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from beamline.records.journal import damage, repair, run_files
from tests.chaos.driven_session import ViolationError, stop_for
from tests.chaos.shift import END_TIMEOUT, Shift

Cause = Callable[[Shift, random.Random], None]


@dataclass(frozen=True)
class Fault:
    """A fault.

    Attributes
    ----------
    name : str
    cause : callable
        Called with the shift, during a scan, and a random generator; causes and ends the fault.
    spoils : bool
        Dwells between begin and end of the fault must not count as good.
    kills : bool
        The fault kills the session.
    may_fail : bool
        The scan may end without success.
    """

    name: str
    cause: Cause
    spoils: bool = False
    kills: bool = False
    may_fail: bool = True


def temporary_put(suffix: str, bad: object, good: object = None) -> Cause:
    """Another client puts a value, and after a while the earlier one (or `good`)."""

    def cause(shift: Shift, rng: random.Random) -> None:
        before = shift.get(suffix) if good is None else good
        shift.put(suffix, bad)
        began = time.monotonic()
        time.sleep(rng.uniform(0.4, 1.0))
        ended = time.monotonic()
        shift.put(suffix, before)
        shift.spoilt = (began, ended)

    return cause


def simulator_fault(name: str) -> Cause:
    """A temporary fault of the simulator."""
    return temporary_put(f"Fault:{name}", 1, 0)


def beam_dump(shift: Shift, rng: random.Random) -> None:
    """The beam is lost and refilled; then a user opens the X-ray shutter, as no scan does."""
    simulator_fault("BeamDump")(shift, rng)
    shift.put("7ida:rShtrA:Open", 1)


def temporary_shift(suffix: str, by: float) -> Cause:
    """Another client changes a value by this amount, and later puts it back."""

    def cause(shift: Shift, rng: random.Random) -> None:
        before = shift.get(suffix)
        temporary_put(suffix, before + by, before)(shift, rng)

    return cause


def kill_session(shift: Shift, rng: random.Random) -> None:
    shift.running.kill()


def kill_ioc(shift: Shift, rng: random.Random) -> None:
    shift.restart_ioc()


def freeze_ioc(shift: Shift, rng: random.Random) -> None:
    stop_for(shift.ioc.process.pid, rng.uniform(0.2, 3.0))


def freeze_session(shift: Shift, rng: random.Random) -> None:
    stop_for(shift.running.process.pid, rng.uniform(0.2, 5.0))


def kill_writer(shift: Shift, rng: random.Random) -> None:
    """The session must start another, also after the scan."""
    writers = shift.writers()
    for pid in writers:
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + END_TIMEOUT
    while not shift.writers() or set(shift.writers()) & set(writers):
        if time.monotonic() > deadline:
            raise ViolationError("no catalogue writer runs after the first was killed")
        time.sleep(0.05)


def freeze_writer(shift: Shift, rng: random.Random) -> None:
    for pid in shift.writers():
        stop_for(pid, rng.uniform(0.2, 3.0))


def kill_figure(shift: Shift, rng: random.Random) -> None:
    figure = shift.figure(shift.folder / "live.png")
    time.sleep(rng.uniform(0.0, 3.0))
    figure.kill()
    figure.wait()


def full_disk(shift: Shift, rng: random.Random) -> None:
    """Limit the file size of the session near that of the current run, which acts as a full disk."""
    newest = max(path.stat().st_size for path in run_files(shift.root)[-2:])
    process, limit = shift.running.process.pid, newest + rng.randrange(3000)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    time.sleep(rng.uniform(0.1, 0.5))
    resource.prlimit(process, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def ctrl_c(shift: Shift, rng: random.Random) -> None:
    for _ in range(rng.choice([1, 2, 3])):
        shift.running.signal(signal.SIGINT)
        time.sleep(0.15)


def clock_step(shift: Shift, rng: random.Random) -> None:
    shift.running.command("clock", offset=rng.choice([-3600.0, 3600.0, 0.0, 12.0]))  # executed after this scan


def file_moved_away(shift: Shift, rng: random.Random) -> None:
    """A user moves the run files away while a scan is writing, and back."""
    away = shift.root / "archive"
    away.mkdir(exist_ok=True)
    moved = run_files(shift.root)[-2:]
    for path in moved:
        path.rename(away / path.name)
    time.sleep(rng.uniform(0.6, 1.5))
    for path in moved:
        (away / path.name).rename(path)


def damaged_file(shift: Shift, rng: random.Random) -> None:
    """Flip one bit of an earlier run, check that it is detected and repaired, then restore the file."""
    path = rng.choice(run_files(shift.root)[:-2] or run_files(shift.root)[:1])
    if damage(path):
        raise ViolationError(f"{path.name} is damaged before the fault: {damage(path)}")
    content = path.read_bytes()
    position, bit = rng.randrange(len(content)), rng.randrange(8)
    if path in run_files(shift.root)[-2:]:
        return  # may be open for writing
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
    target.write_bytes(b"TRXAS-J1 and what a user wrote")
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


PANEL = [
    Fault("gate delay at a panel", temporary_shift("7idd:FPGA1:GateDly-1_DLY", 20), spoils=True),
    Fault("gate width at a panel", temporary_shift("7idd:FPGA1:GateDly-1_WIDTH", 3), spoils=True),
    Fault("threshold at a panel", temporary_shift("7idd:APD1:Threshold", 100.0), spoils=True),
    Fault("I0 gain at a panel", temporary_put("7idd:I0:Gain", 1e8), spoils=True),
    Fault("stage moved at a panel", temporary_shift("7idd:m2", 5.0), spoils=True),
    Fault("laser phase at a panel", temporary_put("7idd:Timing:LaserPhase", 3), spoils=True),
    Fault("wave plate at a panel", temporary_put("7idd:m1", 10.0), spoils=True),
    Fault("delay at a panel", temporary_shift("7idd:DG1:ADelayAO", 20e-9), spoils=True),
    Fault("divider of the preset at a panel", temporary_put("7idd:FPGA1:PresetTime", 0.5), spoils=False),
]
SIMULATED = [
    Fault("beam dump", beam_dump, spoils=True),
    Fault("laser unlocked", simulator_fault("LaserUnlocked")),
    Fault("laser phase slips", simulator_fault("LaserPhaseSlip")),
    Fault("laser shutter stuck", simulator_fault("LaserShutterStuck")),
    Fault("monochromator stuck", simulator_fault("MonoStuck")),
    Fault("wave plate stuck", simulator_fault("WavePlateStuck")),
    Fault("jet stopped", simulator_fault("JetStopped"), spoils=True),
    Fault("I0 is NaN", simulator_fault("I0NaN"), spoils=True),
    Fault("energy is NaN", simulator_fault("EnergyNaN"), spoils=True),
    Fault("a gate saturates", simulator_fault("GateSaturated")),
    Fault("shots are missing", simulator_fault("MissingShots")),
    Fault("the counter is silent", temporary_put("Fault:Silent", "fpga", "none")),
    Fault("the laser is silent", temporary_put("Fault:Silent", "laser", "none")),
]
PROCESSES = [
    Fault("session killed", kill_session, kills=True),
    Fault("session frozen", freeze_session),
    Fault("Ctrl-C", ctrl_c),
    Fault("simulator killed", kill_ioc),
    Fault("simulator frozen", freeze_ioc),
    Fault("writer killed", kill_writer, may_fail=False),
    Fault("writer frozen", freeze_writer, may_fail=False),
    Fault("figure killed", kill_figure, may_fail=False),
]
FILES = [
    Fault("disk full", full_disk),
    Fault("run files taken away", file_moved_away),
    Fault("an earlier run is damaged", damaged_file, may_fail=False),
    Fault("foreign file", foreign_file, may_fail=False),
    Fault("clock steps", clock_step, may_fail=False),
]
FAULTS = [*PANEL, *SIMULATED, *PROCESSES, *FILES]
SHORT = (
    "gate delay at a panel", "I0 gain at a panel", "beam dump", "jet stopped", "laser shutter stuck",
    "simulator killed", "session killed", "session frozen", "simulator frozen", "writer killed", "disk full",
    "run files taken away", "an earlier run is damaged", "foreign file", "clock steps",
)  # fmt: skip
"""One of each kind."""
