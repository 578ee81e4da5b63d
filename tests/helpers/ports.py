"""Blocks of network ports, one for each test process, and the Channel Access environment that uses them."""

from __future__ import annotations

import os
import socket

BLOCK = 16
FIRST_PORT, LAST_PORT = 20000, 32000  # below the ports that the kernel hands out


class PortBlock:
    """A block of ports that no other test process uses; ends with the process or with `close`.

    Its last two ports stay bound: one marks the block as taken for other processes, the other stands in
    for the CA repeater, so that no client starts one.
    """

    def __init__(self) -> None:
        self._guards: list[socket.socket] = []
        num_blocks = (LAST_PORT - FIRST_PORT) // BLOCK
        for attempt in range(num_blocks):
            first = FIRST_PORT + BLOCK * ((os.getpid() + attempt) % num_blocks)
            if self._take(first):
                self.server_ports = list(range(first, first + BLOCK - 2))
                self.repeater_port = first + BLOCK - 2
                return
        raise RuntimeError(f"no free block of {BLOCK} ports between {FIRST_PORT} and {LAST_PORT}")

    def _take(self, first: int) -> bool:
        try:
            self._guards.append(_bound(socket.SOCK_STREAM, first + BLOCK - 1))
            self._guards.append(_bound(socket.SOCK_DGRAM, first + BLOCK - 2))
            for port in range(first, first + BLOCK - 2):
                _bound(socket.SOCK_STREAM, port).close()
                _bound(socket.SOCK_DGRAM, port).close()
        except OSError:
            self.close()
            return False
        return True

    def client_environment(self) -> dict[str, str]:
        """For a process that talks to servers on any port of the block."""
        return {
            "EPICS_CA_ADDR_LIST": " ".join(f"127.0.0.1:{port}" for port in self.server_ports),
            "EPICS_CA_AUTO_ADDR_LIST": "NO",
            "EPICS_CA_SERVER_PORT": str(self.server_ports[0]),
            "EPICS_CA_REPEATER_PORT": str(self.repeater_port),
            "EPICS_CA_MAX_ARRAY_BYTES": "16777216",
            "EPICS_CA_CONN_TMO": "5",
            "EPICS_CAS_AUTO_BEACON_ADDR_LIST": "NO",
            "EPICS_CAS_BEACON_ADDR_LIST": "127.0.0.1",
            "EPICS_CAS_BEACON_PORT": str(self.repeater_port),
            "EPICS_CAS_INTF_ADDR_LIST": "127.0.0.1",
        }

    def server_environment(self, port: int) -> dict[str, str]:
        """For a server process on one port of the block."""
        return self.client_environment() | {"EPICS_CA_SERVER_PORT": str(port), "EPICS_CAS_SERVER_PORT": str(port)}

    def close(self) -> None:
        """Give the block back."""
        for guard in self._guards:
            guard.close()
        self._guards.clear()


def free_port() -> int:
    """A free port of the loopback, for a server that is started at once."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _bound(kind: socket.SocketKind, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, kind)
    try:
        sock.bind(("127.0.0.1", port))
    except OSError:
        sock.close()
        raise
    return sock
