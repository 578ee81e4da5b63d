"""Ungated ion chamber (I0) on a channel of an EPICS scaler record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ophyd import Component as Cpt
from ophyd import FormattedComponent as FCpt
from ophyd.utils import LimitError

from devices.base.counting import CountingDetector
from devices.base.settings import Adjustment, Setting
from devices.base.signals import PolledNumber, Readback, SoftSignal

MOST_TICKS = 2**32 - 1
"""Presets are unsigned 32-bit numbers of clock ticks (EPICS scaler record, fields PR1 to PR64)."""


class PresetTime(Setting):
    """Preset time, s; the record holds it as ticks of the scaler clock."""

    def check_value(self, value: float) -> None:
        """Refuse a time with more ticks than the record can hold.

        Raises
        ------
        ophyd.utils.LimitError
        """
        super().check_value(value)
        frequency = float(self.parent.frequency.get())
        if value * frequency > MOST_TICKS:
            raise LimitError(
                f"{self.name}: {self.setpoint_pvname} counts for at most {MOST_TICKS / frequency:.4g} s by a clock of"
                f" {frequency:g} Hz, not for {value:g} s"
            )


class IonChamber(CountingDetector):
    """Counts of one scaler channel over a preset time, with amplifier gain and dark rate.

    Parameters
    ----------
    prefix : str
        Scaler record, for example ``7idd:scaler1``.
    amplifier : str
        Prefix of the amplifier's records, for example ``7idd:I0:``.
    channel : int
        Scaler channel that counts the ion chamber.
    """

    watched: ClassVar[Mapping[str, float]] = {"preset_time": 0.0, "gain": 0.0, "dark": 0.0}

    shown: ClassVar[tuple[str, ...]] = ("gain",)

    counts = FCpt(PolledNumber, "{prefix}.S{channel}", units="counts", kind="hinted")
    time = Cpt(PolledNumber, ".T", units="s", kind="normal")
    gain = FCpt(Adjustment, "{amplifier}Gain", units="V/A", kind="normal")
    dark = FCpt(Adjustment, "{amplifier}Dark", units="counts/s", kind="normal")
    preset_time = Cpt(PresetTime, ".TP", put_complete=True, limits=True, units="s", kind="config")
    count = Cpt(Setting, ".CNT", put_complete=True, kind="omitted")
    channel_name = FCpt(Readback, "{prefix}.NM{channel}", string=True, auto_monitor=True, kind="config")
    frequency = Cpt(PolledNumber, ".FREQ", units="Hz", kind="config")

    def __init__(self, prefix: str, *, amplifier: str, channel: int = 2, **kwargs: object) -> None:
        self.amplifier = amplifier
        self.channel = channel
        super().__init__(prefix, **kwargs)
        self.counts.name = self.name

    @property
    def counted_key(self) -> str:
        """Data key of the time (s) that it has counted."""
        return str(self.time.name)

    @property
    def go(self) -> Setting:
        """The count field of the scaler record."""
        return self.count


class ScalerChannel(IonChamber):
    """Counts of one scaler channel whose amplifier has no records: gain and dark rate are those of the configuration.

    Parameters
    ----------
    prefix : str
        Scaler record.
    channel : int
        Channel that counts.
    """

    watched: ClassVar[Mapping[str, float]] = {"preset_time": 0.0}
    shown = ()

    gain = Cpt(SoftSignal, value=1.0, units="V/A", kind="normal")
    dark = Cpt(SoftSignal, value=0.0, units="counts/s", kind="normal")

    def __init__(self, prefix: str, *, channel: int = 2, **kwargs: Any) -> None:
        super().__init__(prefix, amplifier="", channel=channel, **kwargs)
