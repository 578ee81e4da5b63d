"""Limits of a record, asked before anything is sent to it."""

from __future__ import annotations

from ophyd.utils import LimitError

from devices.signals import Setting


def check_limits(setpoint: Setting, value: float, refusal: str) -> None:
    """Refuse a value that the record does not take.

    Parameters
    ----------
    setpoint : Setting
    value : float
    refusal : str
        What the error says: the device, the value, and how far it goes.

    Raises
    ------
    ophyd.utils.LimitError
    """
    try:
        setpoint.check_value(value)
    except LimitError:
        raise LimitError(refusal) from None
