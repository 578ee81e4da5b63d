"""Connection of one client, fast enough for step scans that read some thirty records at once."""

from __future__ import annotations

import asyncio
from typing import Any

from caproto import ReadNotifyRequest, ReadRequest, WriteNotifyRequest, WriteRequest
from caproto.asyncio.server import AsyncioEvent, VirtualCircuit
from caproto.server.common import DisconnectedCircuit, LoopExit

from sim_ioc.records.protocol import Protocol

LATE_PERIOD_S = 0.05
MOST_AT_ONCE = 256
REQUESTS = (ReadRequest, ReadNotifyRequest, WriteRequest, WriteNotifyRequest)


class Flag(AsyncioEvent):  # type: ignore[misc]
    """An event whose wait returns at once if it is set; that of caproto creates a task for each wait."""

    async def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set, at most `timeout` seconds; returns whether it is."""
        return self.is_set() or bool(await super().wait(timeout))


class Circuit(VirtualCircuit):  # type: ignore[misc]
    """Circuit of a client; records of a silent device do not reply on it.

    Requests that arrive together are answered together, in order: one message for thirty gets. All that is sent in
    one turn of the event loop leaves in one packet.
    """

    def __init__(self, circuit: Any, client: Any, context: Any) -> None:
        super().__init__(Protocol(circuit.our_role, circuit.address, circuit.priority), client, context)
        self.write_event = Flag()
        self._unsent: list[Any] = []

    async def _send_buffers(self, *buffers: Any) -> None:
        """Send at the end of this turn of the event loop; wait while the client does not keep up."""
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._send_now)
        self._unsent += buffers
        await self.client.writer.drain()

    def _send_now(self) -> None:
        unsent, self._unsent = self._unsent, []
        self.client.writer.write(b"".join(unsent))

    async def command_queue_loop(self) -> None:
        """Answer requests until the client disconnects."""
        self.write_event.set()
        try:
            while True:
                answers = await self._answers_to([await self.command_queue.get()])
                if answers:
                    await self.send(*answers)
        except DisconnectedCircuit:
            await self._disconnected()
        except (asyncio.CancelledError, LoopExit):
            return

    async def subscription_queue_loop(self) -> None:
        """Send updates of monitors at once; that of caproto makes a task and a timer for each of them."""
        self.events_on.set()
        try:
            while True:
                updates = [await self.subscription_queue.get()]
                while len(updates) < MOST_AT_ONCE and not self.subscription_queue.empty():
                    updates.append(self.subscription_queue.get_nowait())
                # Those of a slow client that newer ones have replaced are gone, and subscriptions may have ended.
                commands = [command for update in updates if (command := update()) is not None]
                await self.send(*(each for each in commands if each.subscriptionid in self.circuit.event_add_commands))
        except DisconnectedCircuit:
            await self._disconnected()
        except asyncio.CancelledError:
            return

    async def _disconnected(self) -> None:
        await self._on_disconnect()
        self.circuit.disconnect()
        await self.context.circuit_disconnected(self)

    async def _answers_to(self, commands: list[Any]) -> list[Any]:
        """Replies to commands and to those queued behind them."""
        while len(commands) < MOST_AT_ONCE and not self.command_queue.empty():
            commands.append(self.command_queue.get_nowait())
        answers: list[Any] = []
        for command in commands:
            answers += await self._command_queue_iteration(command) or []
        return answers

    async def _process_command(self, command: Any) -> Any:
        if isinstance(command, REQUESTS):
            record = self._get_db_entry_from_command(command)[1]
            if record.silent:
                self.tasks.create(self._answer_late(command, record))
                return []
        return await super()._process_command(command)

    async def _answer_late(self, command: Any, record: Any) -> None:
        """Reply once the device of the record replies again: over TCP no request is lost."""
        while record.silent:
            await asyncio.sleep(LATE_PERIOD_S)
        if response := await super()._process_command(command):
            await self.send(*response)
