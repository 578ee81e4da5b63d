"""The faults of a campaign: entries of a table. Each is caused while a scan runs, and ended before the next."""

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
    """What goes wrong.

    Attributes
    ----------
    name : str
    cause : callable
        Takes the shift, while a scan runs, and chance; causes the fault and ends it.
    spoils : bool
        No dwell between cause and end may count.
    kills : bool
        The session is dead afterwards.
    may_fail : bool
        The scan may end without success.
    """

    name: str
    cause: Cause
    spoils: bool = False
    kills: bool = False
    may_fail: bool = True


def held(suffix: str, bad: object, good: object = None) -> Cause:
    """Somebody puts a value, and after a while the one of before (or `good`)."""

    def cause(shift: Shift, chance: random.Random) -> None:
        before = shift.get(suffix) if good is None else good
        shift.put(suffix, bad)
        began = time.monotonic()
        time.sleep(chance.uniform(0.4, 1.0))
        ended = time.monotonic()
        shift.put(suffix, before)
        shift.spoilt = (began, ended)

    return cause


def switched(name: str) -> Cause:
    """A fault of the simulator, for a while."""
    return held(f"Fault:{name}", 1, 0)


def beam_dump(shift: Shift, chance: random.Random) -> None:
    """The ring is filled again, and then somebody opens the X-ray shutter: no scan does."""
    switched("BeamDump")(shift, chance)
    shift.put("7ida:rShtrA:Open", 1)


def shifted(suffix: str, by: float) -> Cause:
    """Somebody puts the value of before and a bit, and later that of before."""

    def cause(shift: Shift, chance: random.Random) -> None:
        before = shift.get(suffix)
        held(suffix, before + by, before)(shift, chance)

    return cause


def kill_session(shift: Shift, chance: random.Random) -> None:
    shift.running.kill()


def kill_ioc(shift: Shift, chance: random.Random) -> None:
    shift.restart_ioc()


def freeze_ioc(shift: Shift, chance: random.Random) -> None:
    stop_for(shift.ioc.process.pid, chance.uniform(0.2, 3.0))


def freeze_session(shift: Shift, chance: random.Random) -> None:
    stop_for(shift.running.process.pid, chance.uniform(0.2, 5.0))


def kill_writer(shift: Shift, chance: random.Random) -> None:
    """The session has to start another, also after the scan."""
    writers = shift.writers()
    for pid in writers:
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + END_TIMEOUT
    while not shift.writers() or set(shift.writers()) & set(writers):
        if time.monotonic() > deadline:
            raise ViolationError("no process fills the catalogue after the one that did was killed")
        time.sleep(0.05)


def freeze_writer(shift: Shift, chance: random.Random) -> None:
    for pid in shift.writers():
        stop_for(pid, chance.uniform(0.2, 3.0))


def kill_figure(shift: Shift, chance: random.Random) -> None:
    figure = shift.figure(shift.folder / "live.png")
    time.sleep(chance.uniform(0.0, 3.0))
    figure.kill()
    figure.wait()


def full_disk(shift: Shift, chance: random.Random) -> None:
    """No file of the session may grow beyond what the run's has: what a full disk does."""
    newest = max(path.stat().st_size for path in run_files(shift.root)[-2:])
    process, limit = shift.running.process.pid, newest + chance.randrange(3000)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    time.sleep(chance.uniform(0.1, 0.5))
    resource.prlimit(process, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def ctrl_c(shift: Shift, chance: random.Random) -> None:
    for _ in range(chance.choice([1, 2, 3])):
        shift.running.signal(signal.SIGINT)
        time.sleep(0.15)


def clock_step(shift: Shift, chance: random.Random) -> None:
    shift.running.order("clock", offset=chance.choice([-3600.0, 3600.0, 0.0, 12.0]))  # taken after this scan


def file_taken_away(shift: Shift, chance: random.Random) -> None:
    """Somebody archives the folder while a scan is written into it, and brings it back."""
    away = shift.root / "archive"
    away.mkdir(exist_ok=True)
    moved = run_files(shift.root)[-2:]
    for path in moved:
        path.rename(away / path.name)
    time.sleep(chance.uniform(0.6, 1.5))
    for path in moved:
        (away / path.name).rename(path)


def damaged_file(shift: Shift, chance: random.Random) -> None:
    """One bit of an earlier run changes; it is named, repaired, named again, and then brought back from a copy."""
    path = chance.choice(run_files(shift.root)[:-2] or run_files(shift.root)[:1])
    if damage(path):
        raise ViolationError(f"{path.name} is damaged and nobody has done it: {damage(path)}")
    content = path.read_bytes()
    position, bit = chance.randrange(len(content)), chance.randrange(8)
    if path in run_files(shift.root)[-2:]:
        return  # the one that is being written
    hurt = bytearray(content)
    hurt[position] ^= 1 << bit
    path.write_bytes(bytes(hurt))
    if not damage(path):
        raise ViolationError(f"bit {bit} of byte {position} of {path.name} is flipped, and no damage is named")
    set_aside = repair(path).set_aside
    if set_aside is None:
        raise ViolationError(f"{path.name} is damaged and nothing was set aside")
    set_aside.unlink()
    path.write_bytes(content)


def foreign_file(shift: Shift, chance: random.Random) -> None:
    """Something called like a run stands in the journal from now on; nobody may touch it."""
    number = len(shift.foreign)
    path = shift.root / "journal" / f"2020-01-01T000000.000_{number:08d}-c0de.trxas"
    target = shift.folder / f"outside{number}"
    target.write_bytes(b"TRXAS-J1 and what a user wrote")
    kind = chance.choice(["link", "dangling", "folder", "pipe", "garbage"])
    makers: dict[str, Callable[[], object]] = {
        "link": lambda: path.symlink_to(target),
        "dangling": lambda: path.symlink_to(shift.folder / "nowhere"),
        "folder": path.mkdir,
        "pipe": lambda: os.mkfifo(path),
        "garbage": lambda: path.write_bytes(chance.randbytes(500)),
    }
    makers[kind]()
    content = path.read_bytes() if kind == "garbage" else b""
    shift.foreign[path] = (target, content)


PANEL = [
    Fault("gate delay at a panel", shifted("7idd:FPGA1:GateDly-1_DLY", 20), spoils=True),
    Fault("gate width at a panel", shifted("7idd:FPGA1:GateDly-1_WIDTH", 3), spoils=True),
    Fault("threshold at a panel", shifted("7idd:APD1:Threshold", 100.0), spoils=True),
    Fault("I0 gain at a panel", held("7idd:I0:Gain", 1e8), spoils=True),
    Fault("stage moved at a panel", shifted("7idd:m2", 5.0), spoils=True),
    Fault("laser phase at a panel", held("7idd:Timing:LaserPhase", 3), spoils=True),
    Fault("wave plate at a panel", held("7idd:m1", 10.0), spoils=True),
    Fault("delay at a panel", shifted("7idd:DG1:ADelayAO", 20e-9), spoils=True),
    Fault("divider of the preset at a panel", held("7idd:FPGA1:PresetTime", 0.5), spoils=False),
]
SIMULATED = [
    Fault("beam dump", beam_dump, spoils=True),
    Fault("laser unlocked", switched("LaserUnlocked")),
    Fault("laser phase slips", switched("LaserPhaseSlip")),
    Fault("laser shutter stuck", switched("LaserShutterStuck")),
    Fault("monochromator stuck", switched("MonoStuck")),
    Fault("wave plate stuck", switched("WavePlateStuck")),
    Fault("jet stopped", switched("JetStopped"), spoils=True),
    Fault("I0 is NaN", switched("I0NaN"), spoils=True),
    Fault("energy is NaN", switched("EnergyNaN"), spoils=True),
    Fault("a gate saturates", switched("GateSaturated")),
    Fault("shots are missing", switched("MissingShots")),
    Fault("the counter is silent", held("Fault:Silent", "fpga", "none")),
    Fault("the laser is silent", held("Fault:Silent", "laser", "none")),
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
    Fault("run files taken away", file_taken_away),
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
