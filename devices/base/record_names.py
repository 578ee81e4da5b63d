"""Names of the records of a signal, as users and put logs know them."""

from __future__ import annotations

from typing import Any

from ophyd import EpicsSignal, Signal


def shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def record_of(signal: Signal) -> str:
    """Record of a signal, or of the signal from which it is derived."""
    pvname = getattr(signal, "pvname", None) or getattr(getattr(signal, "derived_from", None), "pvname", signal.name)
    return str(pvname)


def inputs_of(signal: Signal) -> set[str]:
    """Records with which users change a signal: its own, or for a readback those of its device."""
    if isinstance(signal, EpicsSignal):
        return {plain_name(signal.setpoint_pvname)}
    siblings = [getattr(signal.parent, name) for name in getattr(signal.parent, "component_names", ())]
    inputs = [each if isinstance(each, EpicsSignal) else getattr(each, "setpoint", None) for each in siblings]
    return {
        plain_name(record_of(signal)),
        *(plain_name(each.setpoint_pvname) for each in inputs if isinstance(each, EpicsSignal)),
    }


def plain_name(pvname: str) -> str:
    """Name of a record without its default field VAL."""
    return pvname.removesuffix(".VAL")
