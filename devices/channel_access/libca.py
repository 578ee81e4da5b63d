"""What the rest of the package needs of libca: its contexts and its errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from epics import ca, dbr
from epics.ca import CASeverityException, ChannelAccessException, ChannelAccessGetFailure

NO_REPLY = (ChannelAccessException, ChannelAccessGetFailure, CASeverityException)
"""What a get of pyepics raises when the server has gone or is silent; which one depends on how far the get came."""


@contextmanager
def attached(context: Any) -> Iterator[None]:
    """Attach the calling thread to a libca context, and restore its own context afterwards."""
    own = ca.current_context()
    if own == context:
        yield
        return
    if own is not None:
        ca.detach_context()
    ca.attach_context(context)
    try:
        yield
    finally:
        ca.detach_context()
        if own is not None:
            ca.attach_context(own)


def attach_initial_context() -> None:
    """Attach the calling thread to the context that connected the first records, if it has none of its own."""
    ca.use_initial_context()


def check(status: int, request: str) -> None:
    """Raise if libca has refused a request.

    The check of pyepics raises an exception that is no `ChannelAccessException`.

    Parameters
    ----------
    status : int
        Return value of a libca function.
    request : str
        Begins the message.

    Raises
    ------
    ChannelAccessException
    """
    if status != dbr.ECA_NORMAL:
        raise ChannelAccessException(f"{request}: {ca.message(status)}")
