"""Protocols are looked up once while a plan runs, with unchanged results."""

from __future__ import annotations

import sys
import typing

import pytest
from bluesky import protocols
from ophyd.sim import SynAxis, SynGauss, det

from beamline.session.engine import MEMBERS, make_engine, protocols_remembered

ASKED = [
    each
    for each in vars(protocols).values()
    if isinstance(each, type) and getattr(each, "_is_runtime_protocol", False) and each is not typing.Protocol
]
DEVICES = [SynAxis(name="axis"), det, SynGauss("gauss", SynAxis(name="of"), "of", center=0, Imax=1), object(), None]


def answers() -> list[bool]:
    return [isinstance(device, each) for device in DEVICES for each in ASKED]


def test_the_results_are_the_same() -> None:
    before = answers()
    assert len(ASKED) > 20
    assert {True, False} == set(before)
    with protocols_remembered():
        assert answers() == answers() == before


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="from Python 3.12 on, Python itself remembers")
def test_members_are_listed_once_and_only_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[type] = []
    plain = getattr(typing, MEMBERS)

    def listing(protocol: type) -> set[str]:
        listed.append(protocol)
        return set(plain(protocol))

    monkeypatch.setattr(typing, MEMBERS, listing)
    with protocols_remembered():
        for _ in range(3):
            assert isinstance(det, protocols.Readable)
    assert listed == [protocols.Readable]
    assert getattr(typing, MEMBERS) is listing
    with pytest.raises(RuntimeError), protocols_remembered():
        raise RuntimeError
    assert getattr(typing, MEMBERS) is listing


def test_a_plan_leaves_everything_as_it_was() -> None:
    plain = getattr(typing, MEMBERS, None)
    make_engine({})([])
    assert getattr(typing, MEMBERS, None) is plain
