"""A fault of a campaign, and the faults that a panel or the simulator causes."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from tests.chaos.shift import Shift
from tests.helpers.panel import COMMANDS, PUTS, Puts

Cause = Callable[[Shift, random.Random], None]
MOVED_BACK = ("mono_energy", "laser_delay")
"""Axes of the scan of the campaign."""


@dataclass(frozen=True)
class Fault:
    """A fault.

    Attributes
    ----------
    name : str
    cause : callable
        Called with the shift, during a scan, and a random generator; causes and ends the fault.
    spoils : str
        Which dwells between begin and end of the fault must not count: none, those with the laser on, all, or those
        that end in between, where only what is read at the end is wrong.
    session : str
        What becomes of the session: it goes on, at once or when its records are back, is killed, or ends in order.
    may_fail : bool
        The scan may end without success.
    """

    name: str
    cause: Cause
    spoils: Literal["none", "laser on", "all", "ending"] = "none"
    session: Literal["lives", "reconnects", "killed", "ended"] = "lives"
    may_fail: bool = True


def hold(shift: Shift, rng: random.Random) -> None:
    """Let a fault last. Begin and end are those of its effect: after its put has completed, and before the next."""
    began = time.time()
    time.sleep(rng.uniform(0.2, 0.7))
    shift.spoilt = (began, time.time())


def put_for_a_while(bad: Puts, good: Puts) -> Cause:
    """Another client puts values, and after a while others."""

    def cause(shift: Shift, rng: random.Random) -> None:
        for name, value in bad:
            shift.put(name, value)
        hold(shift, rng)
        for name, value in good:
            shift.put(name, value)

    return cause


def put_and_back(name: str, value: Any) -> Cause:
    """Another client puts a value, or adds it where it is a text, and after a while what was there before."""

    def cause(shift: Shift, rng: random.Random) -> None:
        before = shift.get(name)
        bad = before + float(value) if isinstance(value, str) else value
        put_for_a_while([(name, bad)], [(name, before)])(shift, rng)

    return cause


def command(name: str, value: Any) -> Cause:
    """Another client gives a command that goes back by itself."""
    return lambda shift, rng: shift.put(name, value)


def panel_fault(number: int, key: str, puts: Puts) -> Fault:
    """One of the puts that make a dwell bad; a scan moves its axes back by itself, and may count then."""
    (name, value), *restoring = puts
    title = f"panel {number}, {key}: {name.split(':', 1)[1]} {value}"
    if name.endswith(COMMANDS):
        return Fault(title, command(name, value))
    cause = put_for_a_while([(name, value)], restoring) if restoring else put_and_back(name, value)
    if key == "laser_locked":
        return Fault(title, cause, spoils="laser on")
    return Fault(title, cause, spoils="none" if key in MOVED_BACK else "all")


def simulator_fault(name: str, *after: tuple[str, Any]) -> Cause:
    """A temporary fault of the simulator, and what somebody does when it is over."""
    return put_for_a_while([(f"Fault:{name}", 1)], [(f"Fault:{name}", 0), *after])


def silence(device: str) -> Cause:
    """A device that does not answer for a while."""
    return put_for_a_while([("Fault:Silent", device)], [("Fault:Silent", "none")])


OPEN_XRAYS = ("7ida:rShtrA:Open", 1)
"""No scan does that: somebody may stand behind the shutter."""
PANEL = [panel_fault(number, key, puts) for number, (key, puts) in enumerate(PUTS)]
SIMULATED = [
    Fault("beam dump", simulator_fault("BeamDump", OPEN_XRAYS), spoils="all"),
    Fault("permit lost", simulator_fault("PermitLost", OPEN_XRAYS), spoils="all"),
    Fault("laser phase slips", simulator_fault("LaserPhaseSlip")),
    Fault("laser shutter stuck", simulator_fault("LaserShutterStuck")),
    Fault("X-ray shutter stuck", simulator_fault("XrayShutterStuck")),
    Fault("monochromator stuck", simulator_fault("MonoStuck")),
    Fault("wave plate stuck", simulator_fault("WavePlateStuck")),
    Fault("jet stopped", simulator_fault("JetStopped")),
    Fault("I0 is NaN", simulator_fault("I0NaN"), spoils="ending"),
    Fault("energy is NaN", simulator_fault("EnergyNaN"), spoils="ending"),
    Fault("a gate saturates", simulator_fault("GateSaturated")),
    Fault("shots are missing", simulator_fault("MissingShots")),
    Fault("the counter is silent", silence("fpga")),
    Fault("the scaler is silent", silence("scaler")),
    Fault("the laser is silent", silence("laser")),
    Fault("the monochromator is silent", silence("mono")),
]
