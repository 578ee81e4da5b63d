"""A read-only session puts nothing, also after its servers have come back."""

from __future__ import annotations

from pathlib import Path

import epics
import pytest
from ophyd.signal import EpicsSignal, EpicsSignalRO
from ophyd.utils import ReadOnlyError

from beamline.session.read_only import ReadOnlySession
from beamline.session.session import start
from beamline.station.build import build
from beamline.station.connect import connect, epics_signals
from devices.base.settings import Setting
from tests.beamline.configurations import configuration
from tests.helpers.ioc_process import IocPool, StartIoc


def test_every_record_that_could_be_put_can_be_refused(tmp_path: Path) -> None:
    devices = build(configuration(tmp_path)).devices()
    signals = [signal for device in devices.values() for signal in epics_signals(device)]
    puttable = [
        signal for signal in signals if isinstance(signal, EpicsSignal) and not isinstance(signal, EpicsSignalRO)
    ]
    assert len(puttable) > 30
    assert [signal.name for signal in puttable if not isinstance(signal, Setting)] == []


def test_nothing_is_put_after_the_servers_have_been_restarted(
    start_ioc: StartIoc, ioc_pool: IocPool, tmp_path: Path
) -> None:
    ioc = start_ioc()
    session = start(configuration(tmp_path, ioc.prefix), read_only=True, notify=lambda _: None)
    assert isinstance(session, ReadOnlySession)
    devices = session.beamline.devices()
    ioc_pool.stop(ioc)
    again = ioc_pool.start(prefix=ioc.prefix)
    try:
        settable = {name: device for name, device in devices.items() if "put_log" not in name}
        connect(settable, 80.0)  # the same channels, once more
        signals = [signal for device in devices.values() for signal in epics_signals(device)]
        writable = [signal for signal in signals if isinstance(signal, Setting)]
        assert sum(signal.write_access for signal in writable) > 20, "the servers would take values"
        for signal in writable:
            for send in (signal.put, signal.set):
                with pytest.raises(ReadOnlyError, match="this session is read-only"):
                    send(1)
        with pytest.raises(ReadOnlyError):
            session.beamline.laser.shutter.set(1)
        with pytest.raises(ReadOnlyError):
            session.beamline.stage.across.home("forward")
        assert epics.caget(f"{ioc.prefix}7idd:Laser:ShutterStatus_RBV") == 0
    finally:
        ioc_pool.stop(again)
