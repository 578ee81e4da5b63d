"""Serves the page until a signal or Ctrl-C."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from beamline.config.models import Configuration
from beamline.outputs.web.access import Access
from beamline.outputs.web.app import WebError, application
from beamline.outputs.web.board import Board
from beamline.outputs.web.feed import feeds
from beamline.outputs.web.readers import readers

NICENESS = 10
MOST_CONNECTIONS = 200


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one.

    Raises
    ------
    WebError
        If the address cannot be had.
    """
    try:
        kind = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=kind, backlog=MOST_CONNECTIONS)
    except OSError as error:
        raise WebError(f"{host}:{port} cannot be had ({error.strerror}); choose another with --port") from error


@contextmanager
def page_server(config: Configuration, access: Access) -> Iterator[uvicorn.Server]:
    """A server of the page of a configuration, to be run; its readers run already, until the context is left.

    Parameters
    ----------
    config : Configuration
    access : Access
    """
    root, board = Path(config.data.root), Board()
    board.put("beamline", {"name": config.name, "simulated": config.mode == "sim", "root": str(root)})
    options: dict[str, Any] = {"log_level": "warning", "access_log": False, "server_header": False}
    found = uvicorn.Config(application(board, access, root), limit_concurrency=MOST_CONNECTIONS, **options)
    with ExitStack() as closing:
        for feed in feeds(root, board, readers(root, config)):
            feed.begin()
            closing.callback(feed.close)
        yield uvicorn.Server(found)


def serve(config: Configuration, access: Access, opened: socket.socket) -> None:
    """Serve the page at an open socket until a signal or Ctrl-C, with low priority."""
    os.nice(NICENESS)
    with opened, page_server(config, access) as server:
        server.run(sockets=[opened])
