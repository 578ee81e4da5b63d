"""A device is read as ophyd reads it, and shown in a line."""

from __future__ import annotations

import numpy as np
from ophyd import Device, Kind

from beamline.station.build import Beamline
from devices.base.device import StationDevice


def test_readings_are_those_of_ophyd_whatever_the_kinds(sim: Beamline) -> None:
    plain = [one for one in sim.devices().values() if type(one).read is StationDevice.read]
    assert len(plain) > 5
    for one in plain:
        ours, theirs = (
            {key: each["value"] for key, each in read(one).items()} for read in (type(one).read, Device.read)
        )
        np.testing.assert_equal(ours, theirs)
    ring = sim.ring
    kind = ring.current.kind
    try:
        ring.current.kind = Kind.omitted
        assert [*ring.read()] == [*Device.read(ring)] and ring.current.name not in ring.read()
    finally:
        ring.current.kind = kind
    assert ring.current.name in ring.read()


def test_it_is_shown_with_class_prefix_and_name(sim: Beamline) -> None:
    assert repr(sim.ring) == f"StorageRing({sim.ring.prefix!r}, name='ring')"
