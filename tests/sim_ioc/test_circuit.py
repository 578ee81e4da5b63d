"""What a client of the simulator receives in one turn of its event loop arrives in one packet."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from sim_ioc.records.circuit import Circuit


class Writer:
    """Keeps packets; lets the sender wait while it is full."""

    def __init__(self) -> None:
        self.packets: list[bytes] = []
        self.room = asyncio.Event()
        self.room.set()

    def write(self, packet: bytes) -> None:
        self.packets.append(packet)

    async def drain(self) -> None:
        await self.room.wait()


def circuit(writer: Writer) -> Any:
    found = Circuit.__new__(Circuit)
    found.client, found._unsent = SimpleNamespace(writer=writer), []
    return found


async def sends() -> list[bytes]:
    writer = Writer()
    one = circuit(writer)
    await one._send_buffers(b"a", b"b")
    await one._send_buffers(b"c")
    await asyncio.sleep(0)
    await one._send_buffers(b"d")
    await asyncio.sleep(0)
    writer.room.clear()
    full = asyncio.ensure_future(one._send_buffers(b"e"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not full.done()
    writer.room.set()
    await full
    return writer.packets


def test_messages_of_one_turn_leave_together_in_order_and_a_full_client_is_waited_for() -> None:
    assert asyncio.run(sends()) == [b"abc", b"d", b"e"]
