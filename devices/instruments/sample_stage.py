"""Stage that carries the jet."""

from __future__ import annotations

from ophyd import Component as Cpt
from ophyd import Device

from devices.instruments.motor import Motor


class SampleStage(Device):
    """Two motors across the X-ray beam; prefix for example ``7idd:``."""

    across = Cpt(Motor, "m2", kind="hinted")
    """Across the flow of the jet."""
    along = Cpt(Motor, "m3", kind="hinted")
    """Along its flow."""
