"""EPICS records over Channel Access, with the fields and behaviour that clients rely on.

A record serves its value as `NAME` and `NAME.VAL` and its fields as `NAME.EGU`, `NAME.PREC` and so on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from caproto import ChannelDouble, ChannelFloat

from sim_ioc.records.channels import (
    DoubleChannel,
    EnumChannel,
    Handler,
    Limits,
    LongChannel,
    ShortChannel,
    StringChannel,
)


@dataclass(frozen=True)
class Shown:
    """Display metadata of a number: unit, precision, range."""

    unit: str = ""
    precision: int = 0
    display: Limits | None = None


def _numeric(
    channel: type[Any], rtyp: str, value: Any, shown: Shown, limits: Limits | None, meaning: str, count: int = 1
) -> Any:
    display = shown.display or limits or Limits(0, 0)
    control = limits or Limits(0, 0)
    kind = float if issubclass(channel, (ChannelDouble, ChannelFloat)) else int
    extra = {"precision": shown.precision} if kind is float else {}
    record = channel(
        value=value,
        max_length=count,
        units=shown.unit,
        reported_record_type=rtyp,
        upper_disp_limit=kind(display.high),
        lower_disp_limit=kind(display.low),
        upper_ctrl_limit=kind(control.high),
        lower_ctrl_limit=kind(control.low),
        **extra,
    )
    record.limits = limits
    record.fields = {
        "EGU": text_field(shown.unit),
        "HOPR": channel(value=kind(display.high)),
        "LOPR": channel(value=kind(display.low)),
    }
    if kind is float:
        record.fields["PREC"] = ShortChannel(value=shown.precision)
    if limits is not None:
        record.fields |= {"DRVH": channel(value=kind(limits.high)), "DRVL": channel(value=kind(limits.low))}
    return _common(record, rtyp, meaning)


def _common(record: Any, rtyp: str, meaning: str) -> Any:
    record.meaning = meaning
    record.fields |= {"RTYP": text_field(rtyp), "DESC": text_field(meaning[:39])}
    return record


def text_field(text: str) -> StringChannel:
    """A read-only string."""
    return StringChannel(value=text)


def text_out(value: str, meaning: str, handler: Handler) -> StringChannel:
    """A stringout record: a writable string of up to 39 characters."""
    record = StringChannel(value=value, reported_record_type="stringout")
    record.writable, record.handler, record.fields = True, handler, {}
    return cast(StringChannel, _common(record, "stringout", meaning))


def analog_out(
    value: float, shown: Shown, limits: Limits, meaning: str, handler: Handler | None = None
) -> DoubleChannel:
    """An ao record: a writable number with limits."""
    record: DoubleChannel = _numeric(DoubleChannel, "ao", value, shown, limits, meaning)
    record.writable, record.handler = True, handler
    return record


def analog_in(value: float, shown: Shown, meaning: str) -> DoubleChannel:
    """An ai record: a read-only number."""
    record: DoubleChannel = _numeric(DoubleChannel, "ai", value, shown, None, meaning)
    return record


def long_out(value: int, shown: Shown, limits: Limits, meaning: str, handler: Handler | None = None) -> LongChannel:
    """A longout record: a writable integer with limits."""
    record: LongChannel = _numeric(LongChannel, "longout", value, shown, limits, meaning)
    record.writable, record.handler = True, handler
    return record


def long_in(value: int, shown: Shown, meaning: str) -> LongChannel:
    """A longin record: a read-only integer."""
    record: LongChannel = _numeric(LongChannel, "longin", value, shown, None, meaning)
    return record


def long_waveform(count: int, shown: Shown, meaning: str) -> LongChannel:
    """A read-only waveform of a fixed number of 32-bit integers."""
    value = np.zeros(count, dtype=np.int32)
    record: LongChannel = _numeric(LongChannel, "waveform", value, shown, None, meaning, count)
    return _waveform_fields(record, count, "LONG")


def double_waveform(value: Sequence[float], shown: Shown, meaning: str) -> DoubleChannel:
    """A read-only waveform of floats."""
    record: DoubleChannel = _numeric(
        DoubleChannel, "waveform", np.asarray(value, dtype=float), shown, None, meaning, len(value)
    )
    return _waveform_fields(record, len(value), "DOUBLE")


def _waveform_fields(record: Any, count: int, kind: str) -> Any:
    record.fields |= {
        "NELM": DoubleChannel(value=count),  # unsigned long in the record, a type that Channel Access lacks
        "NORD": DoubleChannel(value=count),
        "HOPR": DoubleChannel(value=float(record.upper_disp_limit)),  # doubles for any element type
        "LOPR": DoubleChannel(value=float(record.lower_disp_limit)),
        "FTVL": EnumChannel(value=kind, enum_strings=[kind]),
    }
    return record


def states(value: str, names: Sequence[str], rtyp: str, meaning: str, handler: Handler | None = None) -> EnumChannel:
    """A bi, bo, mbbi or mbbo record; writable with a handler or as an output."""
    record = EnumChannel(value=value, enum_strings=list(names), reported_record_type=rtyp)
    record.handler = handler
    record.writable = rtyp in ("bo", "mbbo", "busy")
    record.fields = {}
    if len(names) == 2:
        record.fields = {"ZNAM": text_field(names[0]), "ONAM": text_field(names[1])}
    _common(record, rtyp, meaning)
    return record
