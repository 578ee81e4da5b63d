"""Double-crystal monochromator behind the synApps Kohzu sequencer (records of `kohzuSeq.db`)."""

from __future__ import annotations

from threading import Timer

from ophyd import Component as Cpt
from ophyd import Device
from ophyd.status import Status

from devices.following import follow
from devices.signals import Readback, Setting, SoftSignal

MANUAL, AUTO = 0, 1
DONE = 0


class Monochromator(Device):
    """X-ray energy in keV. Settable; arrives when the sequencer says so and the readback agrees.

    The prefix is that of the Kohzu records, for example ``7ida:``. The sequencer must be in Auto mode: in Manual a
    new energy waits for the Put button, which may be somebody else's intent.
    """

    energy = Cpt(Readback, "BraggERdbkAO", auto_monitor=True, units="keV", kind="hinted")
    setpoint = Cpt(Setting, "BraggEAO", limits=True, auto_monitor=True, units="keV", kind="normal")
    theta = Cpt(Readback, "BraggThetaRdbkAO", auto_monitor=True, units="deg", kind="omitted")
    moving = Cpt(Readback, "KohzuMoving", auto_monitor=True, kind="omitted")
    mode = Cpt(Setting, "KohzuModeBO", auto_monitor=True, kind="config")

    tolerance = Cpt(SoftSignal, value=5e-5, units="keV", kind="config")
    """Largest distance of the readback from the set energy at which a move counts as arrived."""
    start_grace = Cpt(SoftSignal, value=0.5, units="s", kind="omitted")
    """The sequencer has this long (wall time) to begin before a move of less than the tolerance counts as none."""
    timeout = Cpt(SoftSignal, value=120.0, units="s", kind="omitted")

    def check_value(self, value: float) -> None:
        """Refuse an energy (keV) outside the record's limits, before anything is sent.

        Raises
        ------
        ophyd.utils.LimitError
        """
        self.setpoint.check_value(value)

    def set(self, value: float) -> Status:
        """Move to an energy in keV.

        Raises
        ------
        ophyd.utils.LimitError
            If the energy is outside the limits.
        RuntimeError
            If the sequencer is in Manual mode.
        """
        self.check_value(value)
        if self.mode.get() != AUTO:
            raise RuntimeError(
                f"{self.name}: the Kohzu sequencer is in Manual mode; put {self.mode.pvname} to Auto to let it move"
            )
        seen = {"moving": False, "grace_over": False}

        def finished() -> bool | str:
            if self.moving.get() != DONE:
                seen["moving"] = True
                return False
            off = abs(self.energy.get() - value)
            if off <= self.tolerance.get():
                return seen["moving"] or seen["grace_over"]
            if seen["moving"] or seen["grace_over"]:
                return (
                    f"stopped {off * 1e3:.3f} eV from {value:.5f} keV, more than its tolerance of "
                    f"{self.tolerance.get() * 1e3:.3f} eV"
                )
            return False

        status = follow(self, [self.moving, self.energy], finished, self.timeout.get())

        def grace_over() -> None:
            seen["grace_over"] = True
            status.ask()

        timer = Timer(self.start_grace.get(), grace_over)
        timer.daemon = True
        status.add_callback(lambda _: timer.cancel())
        self.setpoint.put(value, wait=False)
        timer.start()
        return status

    @property
    def hints(self) -> dict[str, list[str]]:
        """Stock callbacks plot against the readback."""
        return {"fields": [self.energy.name]}

    @property
    def position(self) -> float:
        """Energy readback in keV."""
        return self.energy.get()

    def stop(self, *, success: bool = False) -> None:
        """End a move where it is: the present readback becomes the set energy."""
        if self.moving.get() != DONE:
            self.setpoint.put(self.energy.get(), wait=False)
