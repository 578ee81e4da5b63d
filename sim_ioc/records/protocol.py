"""Protocol of one circuit: what a connected channel reads, writes and monitors goes past the state machine of caproto.

For each command caproto looks up the states of channel and circuit some twenty times: a fifth of the time of the
simulator in a scan. Gets, puts and updates of monitors do not change these states; all other commands, and those that
name no known channel, are checked by caproto.
"""

from __future__ import annotations

from typing import Any

from caproto import (
    EventAddResponse,
    ReadNotifyRequest,
    ReadNotifyResponse,
    VirtualCircuit,
    WriteNotifyRequest,
    WriteNotifyResponse,
    WriteRequest,
)

ANSWERED = (ReadNotifyRequest, WriteNotifyRequest)
ANSWERS = (ReadNotifyResponse, WriteNotifyResponse)


class Protocol(VirtualCircuit):  # type: ignore[misc]
    """State of a circuit on the side of the server."""

    def send(self, *commands: Any, extra: object = None) -> list[Any]:
        """Buffers of commands to be sent, as that of caproto without its log."""
        buffers: list[Any] = []
        for command in commands:
            self._process_command(self.our_role, command)
            buffers.append(memoryview(command.header))
            buffers += command.buffers
        return buffers

    def _process_command(self, role: Any, command: Any) -> None:
        if not self._is_plain(command):
            super()._process_command(role, command)

    def _is_plain(self, command: Any) -> bool:
        """Whether a command is of a known channel and changes no state; requests are noted for their answers."""
        kind = type(command)
        if kind in ANSWERS:
            return self._ioids.pop(command.ioid, None) is not None
        if kind is EventAddResponse:
            number = command.subscriptionid
            alive = number in self.event_add_commands and number not in self.event_cancel_commands
            return bool(alive and command.payload_size)
        if kind in ANSWERED and (channel := self.channels_sid.get(command.sid)) is not None:
            self._ioids[command.ioid] = channel
            return True
        return kind is WriteRequest and command.sid in self.channels_sid
