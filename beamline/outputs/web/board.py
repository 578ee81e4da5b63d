"""What viewers pull: the parts of the page, each with the version at which it changed last.

Readers of the journal put parts on the board, each from its own thread; a viewer asks for what has changed since the
version that it has. Nobody waits for a viewer, and one that stands still costs nothing.
"""

from __future__ import annotations

import gzip
import secrets
from dataclasses import dataclass
from threading import Lock
from typing import Any

from beamline.outputs.web.values import encoded

COMPRESSION = 4


@dataclass(frozen=True)
class _State:
    """All parts at one version; never changed."""

    version: int
    parts: dict[str, tuple[int, bytes]]


class Board:
    """Parts by name, as JSON."""

    def __init__(self) -> None:
        self._epoch = secrets.token_hex(4)
        self._lock = Lock()
        self._state = _State(0, {})
        self._compressed: dict[str, bytes] = {}

    @property
    def version(self) -> str:
        """Of this process and state: a viewer of an earlier process gets everything."""
        return f"{self._epoch}-{self._state.version}"

    def put(self, name: str, value: Any) -> bool:
        """Replace a part; False if it is as before."""
        content = encoded(value)
        with self._lock:
            before = self._state
            if before.parts.get(name, (0, b""))[1] == content:
                return False
            version = before.version + 1
            self._state = _State(version, {**before.parts, name: (version, content)})
            self._compressed = {}
        return True

    def since(self, known: str) -> bytes | None:
        """JSON of the version and of the parts that have changed since a known version; None if none has."""
        state = self._state
        number = self._number(known, state.version)
        if number == state.version:
            return None
        changed = {name: content for name, (version, content) in state.parts.items() if version > number}
        parts = b",".join(encoded(name) + b":" + content for name, content in changed.items())
        return b'{"version":"%s-%d","parts":{%s}}' % (self._epoch.encode(), state.version, parts)

    def compressed(self, known: str, body: bytes) -> bytes:
        """The body of `since`, compressed once for all viewers that know the same version."""
        cache = self._compressed
        if known not in cache:
            cache[known] = gzip.compress(body, COMPRESSION, mtime=0)
        return cache[known]

    def _number(self, known: str, newest: int) -> int:
        """Number of a version of this process; -1, for everything, of any other text."""
        epoch, _, number = known.partition("-")
        is_ours = epoch == self._epoch and number.isascii() and number.isdigit() and len(number) < 12
        return int(number) if is_ours and int(number) <= newest else -1
