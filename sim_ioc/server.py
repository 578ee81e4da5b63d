"""Channel Access server on the loopback."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys

from caproto import DEFAULT_PROTOCOL_VERSION, Beacon, CaprotoNetworkError
from caproto.asyncio.server import Context
from caproto.asyncio.utils import _TransportWrapper

from sim_ioc.beamline import SimBeamline
from sim_ioc.records.circuit import Circuit
from sim_ioc.timebase.punctual import punctual_loop

PARENT_CHECK_S = 0.2
FIRST_BEACON_S, LAST_BEACON_S = 0.02, 15.0  # Channel Access specification: doubled from beacon to beacon


class LowLatencyContext(Context):  # type: ignore[misc]
    """caproto's server with small messages sent at once.

    asyncio turns TCP_NODELAY on only for sockets that name their protocol, which those of caproto do not;
    without it a reply is delayed by up to 40 ms.
    """

    CircuitClass = Circuit

    async def server_accept_loop(self, sock: socket.socket) -> None:
        """Listen and serve each client."""

        def new_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            transport = _TransportWrapper(reader, writer)
            self.server_tasks.create(self.tcp_handler(transport, transport.getpeername()))

        await asyncio.start_server(new_client, sock=sock)

    async def broadcast_beacon_loop(self) -> None:
        """Send beacons; no listener on this machine is not an error."""
        while True:
            with contextlib.suppress(CaprotoNetworkError):
                await self._send_beacons()
            self.beacon_count += 1
            await asyncio.sleep(min(FIRST_BEACON_S * 2.0 ** min(self.beacon_count, 20), LAST_BEACON_S))

    async def _send_beacons(self) -> None:
        for interface, sock in self.beacon_socks.values():
            beacon = Beacon(DEFAULT_PROTOCOL_VERSION, self.port, self.beacon_count, interface)
            await sock.send(self.broadcaster.send(beacon))


async def serve(beamline: SimBeamline, prefix: str, with_parent: bool) -> None:
    """Serve every PV of a beamline on 127.0.0.1 until a signal or the end of the parent process.

    Prints ``ready: N PVs`` once clients can connect.
    """
    records = beamline.records(prefix)
    context = LowLatencyContext(dict(records), ["127.0.0.1"])
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)

    async def print_ready(_: object) -> None:
        print(f"ready: {len(records)} PVs", flush=True)

    work = [
        loop.create_task(context.run(startup_hook=print_ready)),
        loop.create_task(beamline.run()),
        loop.create_task(stop.wait()),
    ]
    if with_parent:
        work.append(loop.create_task(_parent_ends(os.getppid())))
    done, pending = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.wait(pending, timeout=0.5)
    for task in done:
        if (error := task.exception()) is not None:
            raise error


async def _parent_ends(parent: int) -> None:
    """Return when the parent process has ended."""
    while os.getppid() == parent:
        await asyncio.sleep(PARENT_CHECK_S)


def run(beamline: SimBeamline, prefix: str, with_parent: bool) -> None:
    """Serve until a stop, then end the process without waiting for clients."""
    with contextlib.suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=punctual_loop) as runner:
        runner.run(serve(beamline, prefix, with_parent))
    sys.stdout.flush()
