"""A proxy that delays all that passes, as a network between two buildings does."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable


class SlowProxy:
    """Forwards connections to a port of this machine; what arrives is sent on after a delay. Use as a context manager.

    Parameters
    ----------
    port : int
        Of the server.
    seconds : float
        Time of a round trip: half of it each way.
    """

    def __init__(self, port: int, seconds: float) -> None:
        self._port, self._delay = port, seconds / 2
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = [self._listener]
        self._threads: list[threading.Thread] = []
        self.connections = 0
        self.uri = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> SlowProxy:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._sockets:
            with contextlib.suppress(OSError):  # closed by the other side
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join(5)

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            far = socket.create_connection(("127.0.0.1", self._port))
            self._sockets += [near, far]
            self._start(self._forward, near, far)
            self._start(self._forward, far, near)

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(1 << 20):
                time.sleep(self._delay)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return
