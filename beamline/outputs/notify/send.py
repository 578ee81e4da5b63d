"""Sends a message through Apprise, and reports failures without the secret."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from urllib.parse import unquote

SHORTEST_SECRET = 4
"""Characters from which on a part of a URL is replaced in messages."""


class SendError(Exception):
    """A message could not be sent; the text does not contain the URL."""


def send(url: str, title: str, text: str, attachment: Path | None = None) -> None:
    """Send a message.

    Parameters
    ----------
    url : str
        Apprise URL, for example ``mailto://...`` or ``slack://...``.
    title, text : str
    attachment : Path, optional
        A file, for services that take files.

    Raises
    ------
    SendError
    """
    try:
        import apprise
    except ImportError as error:
        raise SendError("messages need Apprise: install the extra 'notify' of this package") from error
    logging.getLogger("apprise").propagate = False  # its messages may contain the URL
    service = apprise.Apprise()
    with apprise.LogCapture(level=logging.INFO) as log:
        if not service.add(url):
            raise SendError("the URL is of no service that Apprise knows, or incomplete")
        files = [str(attachment)] if attachment is not None else None
        sent = service.notify(body=text, title=title, body_format=apprise.NotifyFormat.TEXT, attach=files)
        said = log.getvalue()
    if not sent:
        raise SendError(redacted(" ".join(said.split()) or "the service has refused it", url))


def redacted(text: str, url: str) -> str:
    """The text without any part of the URL after its scheme."""
    rest = url.partition("://")[2]
    pieces = [rest, *re.split(r"[/:@?&=,]+", rest)]
    parts = {form for piece in pieces for form in (piece, unquote(piece))}
    for part in sorted(parts, key=len, reverse=True):
        if len(part) >= SHORTEST_SECRET:
            text = text.replace(part, "***")
    return text
