"""Bunch timing: RF, bunches and the divider that makes the laser rate."""

from __future__ import annotations

from ophyd import Component as Cpt
from ophyd import Device

from devices.signals import Readback, Setting


class BunchTiming(Device):
    """Pattern of bunches and laser pulses, prefix for example ``7idd:Timing:``."""

    rf_frequency = Cpt(Readback, "RFFrequency_RBV", auto_monitor=True, units="Hz", kind="normal")
    harmonic = Cpt(Readback, "Harmonic_RBV", auto_monitor=True, kind="config")
    num_bunches = Cpt(Readback, "NumBunches_RBV", auto_monitor=True, kind="config")
    laser_divider = Cpt(Readback, "LaserDivider", auto_monitor=True, kind="config")
    bunch_rate = Cpt(Readback, "BunchRate_RBV", auto_monitor=True, units="Hz", kind="config")
    laser_rate = Cpt(Readback, "LaserRate_RBV", auto_monitor=True, units="Hz", kind="config")
    laser_phase = Cpt(Setting, "LaserPhase", auto_monitor=True, kind="config")
