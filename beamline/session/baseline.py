"""The stream `baseline`: what rests during a run, read once at its start and once at its end."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
from bluesky.utils import Msg, MsgGenerator
from ophyd import Device, Signal

from devices.base.computed import Computed
from devices.base.heartbeat import Server
from devices.base.signals import PolledReadback
from devices.instruments.scan_state import ScanState

STREAM = "baseline"
SET_BY_SCANS = ("preset_time",)
"""Settings that each scan makes itself; they stand in the configuration of its descriptors."""


class SlowSettings:
    """All readings and settings of a beamline that rest, as one readable of bluesky: one message instead of eighty.

    Not among them: the results of a count, which would be those of an earlier dwell; commands and busy records; where
    in a scan a dwell belongs; heartbeats.

    Parameters
    ----------
    devices : mapping
        Name to device.
    """

    parent = None
    hints: Mapping[str, Any] = {}

    def __init__(self, devices: Mapping[str, Device], name: str = "slow_settings") -> None:
        self.name = name
        self.signals = [signal for device in devices.values() for signal in slow_signals(device)]

    def read(self) -> OrderedDict[str, Any]:
        """Value and time stamp of each.

        Raises
        ------
        devices.base.heartbeat.StaleError
            If a server has stopped counting.
        """
        return _merged(signal.read() for signal in self.signals)

    def describe(self) -> OrderedDict[str, Any]:
        """Data key of each."""
        return _merged(signal.describe() for signal in self.signals)

    def read_configuration(self) -> OrderedDict[str, Any]:
        """Nothing: configuration is read as everything else is."""
        return OrderedDict()

    def describe_configuration(self) -> OrderedDict[str, Any]:
        """Nothing."""
        return OrderedDict()


def _merged(parts: Iterator[Mapping[str, Any]]) -> OrderedDict[str, Any]:
    return OrderedDict(item for part in parts for item in part.items())


def slow_signals(device: Device) -> list[Signal]:
    """Signals of a device that rest during a run."""
    if isinstance(device, ScanState | Server):
        return []
    names = dict.fromkeys([*device.read_attrs, *device.configuration_attrs])
    found = [getattr(device, name) for name in names if name.rpartition(".")[2] not in SET_BY_SCANS]
    return [each for each in found if isinstance(each, Signal) and not isinstance(each, PolledReadback | Computed)]


def with_baseline(plan: MsgGenerator[Any], settings: SlowSettings) -> MsgGenerator[Any]:
    """A plan whose runs have the stream `baseline`.

    A run that fails has the first reading only: what made it fail may be what would be read, and its stop document has
    to tell that cause.
    """

    def insert(message: Msg) -> tuple[MsgGenerator[Any] | None, MsgGenerator[Any] | None]:
        if message.command == "open_run":
            return None, _reading(settings, message)
        if message.command == "close_run" and message.kwargs.get("exit_status") in (None, "success"):
            return _then(_reading(settings, message), message), None
        return None, None

    return (yield from bpp.plan_mutator(plan, insert))


def _reading(settings: SlowSettings, of: Msg) -> MsgGenerator[Any]:
    plan = bps.trigger_and_read([settings], name=STREAM)
    return (yield from bpp.set_run_key_wrapper(plan, of.run) if of.run is not None else plan)


def _then(plan: MsgGenerator[Any], message: Msg) -> MsgGenerator[Any]:
    yield from plan
    return (yield message)
