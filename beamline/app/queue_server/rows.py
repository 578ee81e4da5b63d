"""Puts the rows of a night into the queue of a running `trxas queue`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import zmq

from beamline.session.nights.rows import NightRow, row_of, text_of

PLAN = "night_row"
WHO = {"user": "trxas batch", "user_group": "primary"}
TIMEOUT = 5000
"""Milliseconds to wait for a reply of the manager."""


class QueueRefusedError(RuntimeError):
    """The manager of the queue does not reply, or refuses; the message has its reason."""


class QueueClient(Protocol):
    """A client of the manager."""

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The reply to a request; raises `QueueRefusedError`."""


class ManagerClient:
    """A client of the manager that has its key: JSON over 0MQ.

    Parameters
    ----------
    address : str
        Of the manager.
    key : str
        Public key of the manager.
    """

    def __init__(self, address: str, key: str) -> None:
        self._address, self._context = address, zmq.Context()
        self._socket = self._context.socket(zmq.REQ)
        self._socket.curve_publickey, self._socket.curve_secretkey = zmq.curve_keypair()
        self._socket.curve_serverkey = key.encode("ascii")
        self._socket.connect(address)

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The reply to a request.

        Raises
        ------
        QueueRefusedError
        """
        self._socket.send_json({"method": method, "params": params})
        if not self._socket.poll(TIMEOUT):
            raise QueueRefusedError(f"no reply from {self._address}: does `trxas queue` run there?")
        reply: Any = self._socket.recv_json()
        if not reply.get("success", True):
            raise QueueRefusedError(f"the queue refuses {method}: {reply.get('msg')}")
        return dict(reply)

    def close(self) -> None:
        """End the connection."""
        self._context.destroy(linger=0)


def item(night: str, row: NightRow) -> dict[str, Any]:
    """A row as an item of the queue."""
    return {"item_type": "plan", "name": PLAN, "kwargs": {"row": text_of(night, row)}}


def replace_rows(client: QueueClient, night: str, rows: Iterable[NightRow]) -> tuple[int, int]:
    """Replace the rows of a night that wait in the queue by these; how many were removed, and how many added.

    Raises
    ------
    QueueRefusedError
    """
    waiting = [each["item_uid"] for each in client.ask("queue_get")["items"] if _is_of(night, each)]
    for uid in waiting:
        client.ask("queue_item_remove", uid=uid)
    items = [item(night, row) for row in rows]
    for each in items:
        client.ask("queue_item_add", item=each, **WHO)
    return len(waiting), len(items)


def _is_of(night: str, found: dict[str, Any]) -> bool:
    return found.get("name") == PLAN and row_of(found["kwargs"]["row"])[0] == night
