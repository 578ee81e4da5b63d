"""The short way of gets, puts and monitors leaves a circuit as caproto's own does, and refuses what that refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import caproto
import pytest
from caproto import ChannelType

from sim_ioc.records.protocol import Protocol

ADDRESS = ("127.0.0.1", 50_000)


def conversation() -> Iterator[tuple[str, Any]]:
    """A channel is made, read, written, monitored, and the monitor cancelled."""
    kind = ChannelType.TIME_DOUBLE
    meta = (0, 0, caproto.TimeStamp(1, 2))
    yield "in", caproto.VersionRequest(0, 13)
    yield "out", caproto.VersionResponse(13)
    yield "in", caproto.CreateChanRequest("a", 1, 13)
    yield "out", caproto.AccessRightsResponse(1, caproto.AccessRights.READ | caproto.AccessRights.WRITE)
    yield "out", caproto.CreateChanResponse(ChannelType.DOUBLE, 1, 1, 7)
    yield "in", caproto.ReadNotifyRequest(kind, 1, 7, 20)
    yield "in", caproto.WriteNotifyRequest((2.5,), ChannelType.DOUBLE, 1, 7, 21)
    yield "in", caproto.WriteRequest((3.5,), ChannelType.DOUBLE, 1, 7, 22)
    yield "out", caproto.ReadNotifyResponse((1.0,), kind, 1, caproto.CAStatus.ECA_NORMAL, 20, metadata=meta)
    yield "out", caproto.WriteNotifyResponse(ChannelType.DOUBLE, 1, caproto.CAStatus.ECA_NORMAL, 21)
    yield "in", caproto.EventAddRequest(kind, 1, 7, 5, 0, 0, 0, caproto.SubscriptionType.DBE_VALUE)
    yield "out", caproto.EventAddResponse((4.0,), kind, 1, caproto.CAStatus.ECA_NORMAL, 5, metadata=meta)
    yield "in", caproto.EventCancelRequest(kind, 7, 5)
    yield "out", caproto.EventAddResponse((5.0,), kind, 1, caproto.CAStatus.ECA_NORMAL, 5, metadata=meta)
    yield "out", caproto.EventCancelResponse(kind, 7, 5, 1)


def take(circuit: Any, way: str, command: Any) -> list[bytes]:
    if way == "in":
        circuit.process_command(command)
        return []
    return [bytes(each) for each in circuit.send(command)]


def state(circuit: Any) -> tuple[Any, ...]:
    channels = {sid: channel.states.states for sid, channel in circuit.channels_sid.items()}
    waiting = {ioid: channel.sid for ioid, channel in circuit._ioids.items()}
    return channels, waiting, {*circuit.event_add_commands}, {*circuit.event_cancel_commands}


def test_a_conversation_leaves_the_same_bytes_and_states() -> None:
    ours, theirs = Protocol(caproto.SERVER, ADDRESS, None), caproto.VirtualCircuit(caproto.SERVER, ADDRESS, None)
    sent = 0
    for way, command in conversation():
        buffers = take(ours, way, command)
        assert buffers == take(theirs, way, command) and state(ours) == state(theirs), command
        sent += len(buffers)
    assert sent > 7 and not state(ours)[1] and not state(ours)[2]


@pytest.mark.parametrize(
    "command",
    [
        caproto.ReadNotifyRequest(ChannelType.DOUBLE, 1, 8, 20),
        caproto.WriteRequest((3.5,), ChannelType.DOUBLE, 1, 8, 22),
        caproto.EventCancelRequest(ChannelType.DOUBLE, 7, 99),
    ],
)
def test_unknown_channels_are_refused(command: Any) -> None:
    circuit = Protocol(caproto.SERVER, ADDRESS, None)
    with pytest.raises(caproto.RemoteProtocolError, match="Un"):
        circuit.process_command(command)


def test_an_answer_that_nobody_awaits_is_an_error_of_ours() -> None:
    circuit = Protocol(caproto.SERVER, ADDRESS, None)
    with pytest.raises(caproto.LocalProtocolError, match="ioid"):
        circuit.send(caproto.WriteNotifyResponse(ChannelType.DOUBLE, 1, caproto.CAStatus.ECA_NORMAL, 21))
