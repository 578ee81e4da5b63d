"""One corpus of hostile input and one invariant: the server goes on serving everybody else."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import time
from collections.abc import Iterator

import numpy as np
import pytest

from tests.helpers.ioc_process import IocPool, RunningIoc, answers_search
from tests.sim_ioc.ca import Channels

PACKETS = 200
MEGABYTES_4 = 4 * 1024 * 1024
PUT, READ, CREATE, VERSION, EVENT_ADD = 4, 15, 18, 0, 1


@pytest.fixture(scope="module")
def server(ioc_pool: IocPool) -> Iterator[RunningIoc]:
    """A simulated beamline that these tests may ill-treat."""
    ioc = ioc_pool.start()
    yield ioc
    ioc_pool.stop(ioc)


@pytest.fixture
def bystander(server: RunningIoc) -> Iterator[Channels]:
    """A client that was there before and wants to go on working."""
    channels = Channels(server)
    channels.get("7idd:Heartbeat")
    yield channels
    channels.close()


def message(command: int, kind: int = 0, count: int = 0, a: int = 0, b: int = 0, payload: bytes = b"") -> bytes:
    return struct.pack(">HHHHII", command, len(payload), kind, count, a, b) + payload


def packets(seed: int, name: str) -> Iterator[bytes]:
    """Malformed Channel Access, from plain noise to messages in which one thing is wrong."""
    rng = random.Random(seed)
    padded = name.encode() + b"\0" * (8 - len(name) % 8)
    whole = (
        message(VERSION, count=13)
        + message(CREATE, a=1, b=13, payload=padded)
        + message(EVENT_ADD, 6, 1, 0, 1, b"\0" * 16)
        + message(19, 6, 1, 0, 2, struct.pack(">d", 1.0))
    )
    search = message(VERSION, count=13) + message(6, 5, 13, 1, 1, padded)
    for number in range(PACKETS):
        base = bytearray(whole if number % 2 else search)
        match number % 8:
            case 0:  # noise
                yield rng.randbytes(rng.randint(1, 400))
            case 1:  # cut off
                yield bytes(base[: rng.randint(1, len(base) - 1)])
            case 2 | 3:  # a few bytes changed
                for _ in range(rng.randint(1, 6)):
                    base[rng.randrange(len(base))] = rng.randrange(256)
                yield bytes(base)
            case 4:  # a command that does not exist
                yield message(rng.randint(30, 0xFFFF), rng.randrange(64), rng.randrange(9), 1, 1)
            case 5:  # a payload longer than what follows
                yield struct.pack(">HHHHII", rng.choice([PUT, READ, CREATE, 6]), 0xFFF0, 0, 1, 0, 0) + b"x" * 24
            case 6:  # channels and subscriptions that nobody has made
                yield message(VERSION, count=13) + message(rng.choice([2, 12, PUT, READ, 19]), 6, 1, 0xDEAD, 0xBEEF)
            case _:  # the long header, with lengths of gigabytes
                yield struct.pack(">HHHHIIII", PUT, 0xFFFF, 6, 0, 1, 1, 0xFFFFFFFF, 0xFFFFFFFF)


def still_serves(server: RunningIoc, bystander: Channels) -> None:
    """Old and new clients read, write and find."""
    assert server.process.poll() is None
    assert any(
        answers_search(server.port, server.name("7ida:Heartbeat")) for _ in range(10)
    )  # 2 s: it may be busy with what was asked before
    beat = bystander.get("7idd:Heartbeat")
    bystander.put("7idd:I0:Dark", 1001.0)
    assert bystander.get("7idd:I0:Dark") == 1001.0
    bystander.put("7idd:I0:Dark", 1000.0)
    newcomer = Channels(server)
    assert newcomer.get("7ida:BraggEAO") == 13.45
    newcomer.close()
    assert bystander.wait("7idd:Heartbeat", lambda now: now > beat)


def test_malformed_packets_on_udp(server: RunningIoc, bystander: Channels) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for packet in packets(1, server.name("7ida:BraggEAO")):
            sock.sendto(packet, ("127.0.0.1", server.port))
    still_serves(server, bystander)


def test_malformed_packets_on_tcp(server: RunningIoc, bystander: Channels) -> None:
    """Each on a circuit of its own, closed by whoever is first."""
    for packet in packets(2, server.name("7ida:BraggEAO")):
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as sock:
            sock.sendall(packet)
            sock.settimeout(0.002)
            with contextlib.suppress(OSError):  # an answer, silence or a reset: whatever the server makes of it
                sock.recv(4096)
    still_serves(server, bystander)


def hang_up(sock: socket.socket) -> None:
    """Vanish: the other side gets a reset, not an end."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def circuit_with(server: RunningIoc, suffix: str) -> tuple[socket.socket, int]:
    """A circuit of our own with one channel; the socket and the channel's number on the server."""
    sock = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    name = server.name(suffix)
    sock.sendall(
        message(VERSION, count=13) + message(CREATE, a=1, b=13, payload=name.encode() + b"\0" * (8 - len(name) % 8))
    )
    data = b""
    while True:
        data += sock.recv(4096)
        at = 0
        while at + 16 <= len(data):
            command, size, _, _, _, number = struct.unpack(">HHHHII", data[at : at + 16])
            if command == CREATE:
                return sock, number
            at += 16 + size


@pytest.mark.parametrize("sent", [0.0, 0.5, 0.999])
def test_a_client_that_vanishes_in_a_put_of_4_mb(server: RunningIoc, bystander: Channels, sent: float) -> None:
    sock, number = circuit_with(server, "Mt:S:FillPatternWF")
    count = MEGABYTES_4 // 8
    header = struct.pack(">HHHHIIII", PUT, 0xFFFF, 6, 0, number, 1, MEGABYTES_4, count)
    sock.sendall(header + bytes(int(MEGABYTES_4 * sent)))
    hang_up(sock)
    still_serves(server, bystander)


@pytest.mark.parametrize("listens", [True, False])
def test_a_client_that_vanishes_while_4_mb_come_to_it(server: RunningIoc, bystander: Channels, listens: bool) -> None:
    """It requests an array of 10 kB four hundred times, takes a part of the answers or none, and is gone."""
    sock, number = circuit_with(server, "Mt:S:FillPatternWF")
    if not listens:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    for ioid in range(MEGABYTES_4 // (1296 * 8)):
        sock.sendall(message(READ, 6, 1296, number, ioid))
    if listens:
        got = 0
        while got < MEGABYTES_4 // 4:
            got += len(sock.recv(65536))
    else:
        time.sleep(0.2)
    still_serves(server, bystander)  # also while it is there and does not listen
    hang_up(sock)
    still_serves(server, bystander)


def test_counts_are_still_right(server: RunningIoc, bystander: Channels) -> None:
    gates = bystander.acquire(1.0)["Gates"]
    assert np.ptp(gates) <= 1
    assert gates.min() > 5e4
