"""Double-crystal monochromator behind the synApps Kohzu sequencer (records of `kohzuSeq.db`)."""

from __future__ import annotations

from math import isfinite, radians, sin

from ophyd import Component as Cpt

from devices.base.settings import Setting
from devices.base.signals import Readback, SoftSignal
from devices.instruments.kohzu import KohzuAxis


class BraggAngle(KohzuAxis):
    """Bragg angle in degrees; settable like the energy, and moved by the same sequencer."""

    UNIT = "deg"

    # Monitored from the first move or watch on: each move of the energy changes them too.
    theta = Cpt(Readback, "BraggThetaRdbkAO", auto_monitor=None, units="deg", kind="hinted")
    setpoint = Cpt(Setting, "BraggThetaAO", limits=True, auto_monitor=None, units="deg", kind="normal")
    tolerance = Cpt(SoftSignal, value=5e-5, units="deg", kind="omitted")
    """Largest distance of the readback from the set angle at which a move counts as arrived."""
    grace = Cpt(SoftSignal, value=0.5, units="s", kind="omitted")
    stall = Cpt(SoftSignal, value=4.0, units="s", kind="omitted")
    timeout = Cpt(SoftSignal, value=120.0, units="s", kind="omitted")

    def __init__(self, prefix: str, **kwargs: object) -> None:
        super().__init__(prefix, **kwargs)
        self.theta.name = self.name

    def check_value(self, value: float) -> None:
        """Refuse an angle outside the limits, or one whose energy is outside the soft limits of the energy.

        Raises
        ------
        ophyd.utils.LimitError
        """
        super().check_value(value)
        mono, here = self.parent, float(self.theta.get())
        energy = mono.position * sin(radians(here)) / sin(radians(value))  # Bragg's law holds here and there
        if isfinite(energy):
            mono.check_soft_limits(energy, mono.UNIT)

    @property
    def readback(self) -> Readback:
        return self.theta

    @property
    def moving(self) -> Readback:  # type: ignore[override]
        return self.parent.moving

    @property
    def mode(self) -> Setting:  # type: ignore[override]
        return self.parent.mode

    @property
    def hints(self) -> dict[str, list[str]]:
        """Stock callbacks plot against the readback."""
        return {"fields": [self.theta.name]}


class Monochromator(KohzuAxis):
    """X-ray energy in keV. `set` completes when the sequencer is done and the readback agrees.

    The prefix is that of the Kohzu records, for example ``7ida:``. The sequencer must be in Auto mode: in Manual a
    new energy waits for the Put button, which another user may press. `angle` is the same axis in degrees.

    Energies are those of the records. `calibration_offset` holds the result of a foil calibration and is recorded with
    every run; nothing here adds it to an energy.
    """

    UNIT = "keV"
    watched_states = ("moving",)
    persistent = ("calibration_offset",)
    shown = ("angle",)

    energy = Cpt(Readback, "BraggERdbkAO", auto_monitor=True, units="keV", kind="hinted")
    setpoint = Cpt(Setting, "BraggEAO", limits=True, auto_monitor=True, units="keV", kind="normal")
    angle = Cpt(BraggAngle, "", kind="omitted")
    moving = Cpt(Readback, "KohzuMoving", auto_monitor=True, kind="omitted")
    mode = Cpt(Setting, "KohzuModeBO", auto_monitor=True, kind="config")

    calibration_offset = Cpt(SoftSignal, value=0.0, units="keV", kind="config")
    """True energy minus that of the records, from the last calibration."""
    tolerance = Cpt(SoftSignal, value=5e-5, units="keV", kind="config")
    """Largest distance of the readback from the set energy at which a move counts as arrived."""
    grace = Cpt(SoftSignal, value=0.5, units="s", kind="omitted")
    """How long (wall time) the sequencer may take to start once the put is processed, and the readback lag after."""
    stall = Cpt(SoftSignal, value=4.0, units="s", kind="omitted")
    """How long (wall time) a move may go without any change of its readbacks."""
    timeout = Cpt(SoftSignal, value=120.0, units="s", kind="omitted")

    def _formatted_distance(self, distance: float) -> str:
        return f"{distance * 1e3:.3f} eV"

    @property
    def readback(self) -> Readback:
        return self.energy

    @property
    def hints(self) -> dict[str, list[str]]:
        """Stock callbacks plot against the readback."""
        return {"fields": [self.energy.name]}
