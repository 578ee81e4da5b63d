"""Times a plan by its messages, at the known speeds of instruments: an account of its own of what costs time."""

from __future__ import annotations

from bluesky.simulators import RunEngineSimulator
from bluesky.utils import MsgGenerator

SPEED = 0.02  # keV a second
SETTLE = 0.1
LASER_SHUTTER = 0.05
XRAY_SHUTTER = 0.5
FLUENCE_SPEED = 8.0  # mJ/cm2 a second
FLUENCE = 0.1


class Stopwatch:
    """Beamline seconds of a plan, from the messages alone.

    Attributes
    ----------
    dwells, motion : float
    waits : int
        Waits of the plan: each costs wall time.
    """

    def __init__(self, plan: MsgGenerator[str]) -> None:
        self.dwells = self.motion = 0.0
        self.triggers = self.moves = 0
        self._preset = 0.0
        self._at: dict[str, float] = {"shutter": 0, "xray_shutter": 1}
        for msg in RunEngineSimulator().simulate_plan(plan):
            if msg.command == "set":
                self._set(msg.obj.name, msg.args[0])
            elif msg.command == "trigger" and msg.obj.name == "fpga":
                self.triggers += 1
                self.dwells += self._preset

    @property
    def total(self) -> float:
        return self.dwells + self.motion

    def _set(self, name: str, value: float) -> None:
        if name == "fpga_preset_time":
            self._preset = value
        if name == "mono":
            self.motion += abs(value - self._at.get(name, value)) / SPEED + SETTLE
        elif name == "laser_fluence":
            self.motion += abs(value - self._at.get(name, value)) / FLUENCE_SPEED + FLUENCE
        elif name in ("shutter", "xray_shutter"):
            self.motion += (LASER_SHUTTER if name == "shutter" else XRAY_SHUTTER) * abs(value - self._at[name])
        if name in ("mono", "laser_fluence", "laser_delay"):
            self.moves += 1
        self._at[name] = value
