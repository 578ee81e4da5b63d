"""Passes a report to another program, for example the client of an electronic logbook."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

LONGEST = 120.0
"""Seconds that the program may take."""
FILE, TITLE = "{file}", "{title}"
MOST_OUTPUT = 300
"""Characters of the program's own output in an error message."""


class HookError(Exception):
    """The program failed; the report is written nevertheless. The message names the program and its reason."""


def send(command: Sequence[str], file: Path, title: str, longest: float = LONGEST) -> str:
    """Run the program, without a shell; returns what it printed.

    Parameters
    ----------
    command : sequence of str
        Program and arguments, in which ``{file}`` and ``{title}`` are replaced; without
        ``{file}`` the path is appended.
    file : Path
    title : str
    longest : float
        Timeout, s.

    Raises
    ------
    HookError
    """
    values = {FILE: str(file.absolute()), TITLE: title}
    arguments = [_filled(part, values) for part in command]
    if not any(FILE in part for part in command):
        arguments.append(values[FILE])
    name = command[0]
    try:
        done = subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True, timeout=longest, check=False)
    except subprocess.TimeoutExpired:
        raise HookError(f"{name} has not ended within {longest:g} s and was stopped; {file} is written") from None
    except OSError as error:
        raise HookError(f"{name} cannot be started ({error.strerror}); {file} is written; see [report] hook") from error
    output = " ".join((done.stderr or done.stdout).decode("utf-8", "replace").split())[-MOST_OUTPUT:]
    if done.returncode:
        raise HookError(
            f"{name} failed with exit status {done.returncode}; {file} is written: {output or 'no message'}"
        )
    return " ".join(done.stdout.decode("utf-8", "replace").split())


def _filled(part: str, values: dict[str, str]) -> str:
    for key, value in values.items():
        part = part.replace(key, value)
    return part
