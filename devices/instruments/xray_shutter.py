"""X-ray shutter: momentary open and close commands, and a status readback."""

from __future__ import annotations

from ophyd import Component as Cpt
from ophyd import FormattedComponent as FCpt
from ophyd.signal import EpicsSignalBase

from devices.base.bulk_read import RecentReadback
from devices.base.completion import Follower, follow, send
from devices.base.settings import Setting
from devices.base.signals import Readback, SoftSignal
from devices.channel_access import ThreadlessStatus

SHUT, OPEN = 0, 1
COMMAND = 1


class XrayShutter(Follower):
    """X-ray shutter; `set` takes 1 (open) or 0 (shut) and completes when the status readback agrees.

    Parameters
    ----------
    prefix : str
        For example ``7ida:rShtrA:``.
    permit : str
        Record of the shutter permit, for example ``XFD:ShutterPermit``.
    """

    watched_states = ("status",)

    status = Cpt(Readback, "Status_RBV", auto_monitor=True, kind="hinted")
    permit = FCpt(RecentReadback, "{permit_record}", auto_monitor=True, kind="normal")
    open_command = Cpt(Setting, "Open", auto_monitor=True, kind="omitted")
    close_command = Cpt(Setting, "Close", auto_monitor=True, kind="omitted")
    timeout = Cpt(SoftSignal, value=4.5, units="s", kind="omitted")

    def __init__(self, prefix: str, *, permit: str, **kwargs: object) -> None:
        self.permit_record = permit
        super().__init__(prefix, **kwargs)
        self.status.name = self.name

    def check_value(self, value: int) -> None:
        """Refuse values other than 0 and 1, and opening without a permit.

        Raises
        ------
        ValueError
        """
        if value not in (SHUT, OPEN):
            raise ValueError(f"{self.name} takes 1 (open) or 0 (shut), not {value!r}")
        if value == OPEN and not self.permit.get():
            raise ValueError(f"{self.name} cannot be opened: {self.permit.pvname} gives no permit")

    def set(self, value: int) -> ThreadlessStatus:
        """Open (1) or shut (0).

        Raises
        ------
        ValueError
            For any other value, or to open without a permit.
        """
        self.check_value(value)

        def finished(changed: set[EpicsSignalBase]) -> bool:
            # Without a change yet, a monitor update from an earlier command may be under way: read the record itself.
            return self.status.get() == value and (bool(changed) or self.status.get(use_monitor=False) == value)

        aim = "open" if value == OPEN else "shut"
        status = follow(self, [self.status], finished, self.timeout.get(), aim)
        send(status, self.open_command if value == OPEN else self.close_command, COMMAND)
        status.check()
        return status

    @property
    def position(self) -> int:
        """1 open, 0 shut."""
        return int(self.status.get())

    def complaints(self) -> list[str]:
        """Problems that the readings show."""
        return [] if self.permit.get() else [f"{self.permit.pvname} gives no permit"]
