"""Which messages go out when: kinds, quiet hours, at most so many an hour. Nothing is sent here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time

from beamline.config.notify import NotifyEntry
from beamline.formatting import when
from beamline.outputs.notify.message import Message

HOUR = 3600.0


@dataclass(frozen=True)
class Post:
    """What is sent at once: title, text, and the scan whose figure is attached."""

    title: str
    text: str
    scan_set: str = ""


class Outlet:
    """Holds messages back until they may be sent.

    Parameters
    ----------
    entry : NotifyEntry
    label : str
        Name of the beamline, and whether it is simulated, before each title.
    """

    def __init__(self, entry: NotifyEntry, label: str) -> None:
        self._entry, self._label = entry, label
        self._held: list[Message] = []
        self._sent: list[float] = []

    @property
    def empty(self) -> bool:
        """Whether nothing is held back."""
        return not self._held

    def offer(self, messages: Iterable[Message]) -> None:
        """Take the messages of the kinds of this entry."""
        self._held += [message for message in messages if message.kind in self._entry.kinds]

    def due(self, now: float) -> Post | None:
        """What is to be sent now (seconds since 1970), and counts as sent; None for nothing."""
        quiet = is_quiet(self._entry.quiet, now)
        ready = [message for message in self._held if not quiet or message.kind in self._entry.urgent]
        self._sent = [sent for sent in self._sent if now - sent < HOUR]
        if not ready or len(self._sent) >= self._entry.most_per_hour:
            return None
        self._held = [message for message in self._held if message not in ready]
        self._sent.append(now)
        return self._post(ready)

    def _post(self, messages: Sequence[Message]) -> Post:
        scan_sets = [message.scan_set for message in messages if message.scan_set]
        figure_of = scan_sets[-1] if scan_sets and self._entry.figure else ""
        if len(messages) == 1:
            (message,) = messages
            return Post(f"{self._label}: {message.title}", f"{when(message.time)} {message.text}".strip(), figure_of)
        lines = [f"{when(each.time)} {each.title}: {each.text}".rstrip(": ") for each in messages]
        return Post(f"{self._label}: {messages[-1].title}, and {len(messages) - 1} before", "\n".join(lines), figure_of)


def is_quiet(quiet: tuple[str, str] | None, now: float) -> bool:
    """Whether the local time is within the quiet hours, which may include midnight."""
    if quiet is None:
        return False
    begin, end = map(time.fromisoformat, quiet)
    here = datetime.fromtimestamp(now).time()
    return begin <= here < end if begin <= end else here >= begin or here < end
