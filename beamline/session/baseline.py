"""The stream `baseline`: signals that are constant during a run, read at its start and end."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
from bluesky.utils import Msg, MsgGenerator
from ophyd import Device, Signal

from devices.base.computed import Computed
from devices.base.heartbeat import Server
from devices.base.signals import PolledReadback
from devices.instruments.scan_state import ScanState
from plans.execution.server_replies import with_replies
from plans.watch import ServerWatcher

STREAM = "baseline"
SET_BY_SCANS = ("preset_time",)
"""Settings that each scan sets itself; they are in the configuration of its descriptors."""


class SlowSettings:
    """All constant readings and settings of a beamline as one bluesky readable: one message instead of eighty.

    Excluded are results of counts, which would be those of an earlier dwell; commands and busy records; the indices of
    a dwell in its scan; heartbeats.

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
        """Value and time stamp of each signal.

        Raises
        ------
        devices.base.heartbeat.StaleError
            If the heartbeat of a server has stopped.
        """
        return _merged(signal.read() for signal in self.signals)

    def describe(self) -> OrderedDict[str, Any]:
        """Data key of each signal."""
        return _merged(signal.describe() for signal in self.signals)

    def read_configuration(self) -> OrderedDict[str, Any]:
        """Empty: configuration signals are read as all others."""
        return OrderedDict()

    def describe_configuration(self) -> OrderedDict[str, Any]:
        """Empty."""
        return OrderedDict()


def _merged(parts: Iterator[Mapping[str, Any]]) -> OrderedDict[str, Any]:
    return OrderedDict(item for part in parts for item in part.items())


def slow_signals(device: Device) -> list[Signal]:
    """Signals of a device that are constant during a run."""
    if isinstance(device, ScanState | Server):
        return []
    names = dict.fromkeys([*device.read_attrs, *device.configuration_attrs])
    found = [getattr(device, name) for name in names if name.rpartition(".")[2] not in SET_BY_SCANS]
    return [each for each in found if isinstance(each, Signal) and not isinstance(each, PolledReadback | Computed)]


def with_baseline(plan: MsgGenerator[Any], settings: SlowSettings, servers: ServerWatcher) -> MsgGenerator[Any]:
    """Add the stream `baseline` to the runs of a plan; during a scan a server that does not reply is waited for.

    A failed run has the first reading only: reading again might fail for the same reason, and would hide the original
    cause in the stop document.
    """

    def insert(message: Msg) -> tuple[MsgGenerator[Any] | None, MsgGenerator[Any] | None]:
        if message.command == "open_run":
            return None, _reading(settings, message, servers)
        if message.command == "close_run" and message.kwargs.get("exit_status") in (None, "success"):
            return _then(_reading(settings, message, servers), message), None
        return None, None

    return (yield from bpp.plan_mutator(plan, insert))


def _reading(settings: SlowSettings, of: Msg, servers: ServerWatcher) -> MsgGenerator[Any]:
    plan = with_replies(servers, partial(bps.trigger_and_read, [settings], name=STREAM))
    return (yield from bpp.set_run_key_wrapper(plan, of.run) if of.run is not None else plan)


def _then(plan: MsgGenerator[Any], message: Msg) -> MsgGenerator[Any]:
    yield from plan
    return (yield message)
