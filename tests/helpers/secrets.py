"""Where a secret must not be: in the command line of a process of this machine, and in a file below a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def command_lines() -> Iterator[bytes]:
    """The command line of every process of this machine."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes()
        except OSError:  # it has ended meanwhile
            continue


def in_command_lines(secret: str) -> bool:
    """Whether the process list has a text."""
    return any(secret.encode() in line for line in command_lines())


def holding(root: Path, secret: str) -> list[str]:
    """Files below a folder that have a text."""
    files = (path for path in root.rglob("*") if path.is_file())
    return [str(path.relative_to(root)) for path in files if secret.encode() in path.read_bytes()]
