"""A record that names the session that controls the beamline, for sessions that share no disk with it."""

from __future__ import annotations

from ophyd import Component as Cpt

from devices.base.device import StationDevice
from devices.base.settings import LongText
from devices.channel_access import ChannelAccessException, GroupGet

LONGEST_STRING = 39
"""Characters of a string record; an array of characters takes more."""

LONGEST_GET = 1.0
"""Seconds."""


class Controller(StationDevice):
    """Record with the name of the controlling session; prefix for example ``7idd:Controller``."""

    text = Cpt(LongText, "", auto_monitor=True, kind="omitted")

    def fitted(self, text: str) -> str:
        """A text as the record will hold it."""
        return text[:LONGEST_STRING] if self.text._read_pv.type.endswith("string") else text

    def stamp(self) -> float | None:
        """Time of the last put, also of one that changed nothing and was not posted; None without a reply."""
        try:
            gets = GroupGet([self.text._read_pv])
        except ChannelAccessException:
            return None
        gets.wait(LONGEST_GET)
        reply = gets.reply(0)
        return reply[1] if reply is not None else None
