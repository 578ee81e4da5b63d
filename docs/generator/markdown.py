"""Pieces of Markdown: tables, and numpydoc sections as tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; cells are put on one line."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(map(cell, line))} |" for line in lines) + "\n"


def cell(value: object) -> str:
    """A text with its cell separators escaped."""
    return one_line(str(value)).replace("|", r"\|")


def one_line(text: str) -> str:
    """Normalise white space to single spaces, and double back-ticks to single ones."""
    return " ".join(text.replace("``", "`").split())


def code(value: object) -> str:
    """A text between back-ticks; empty for an empty text."""
    return f"`{value}`" if str(value) else ""


def plain_default(value: Any) -> str:
    """A default as written in code."""
    if value is None or value in ((), "", {}):
        return ""
    if isinstance(value, bool):
        return code(str(value).lower())
    if isinstance(value, tuple):
        return code(list(value))
    return code(value)


def parameters(entries: Iterable[Any]) -> list[tuple[str, str, str]]:
    """Name, type and meaning of numpydoc entries; several names in one entry share a row."""
    found = []
    for entry in entries:
        names = ", ".join(code(name.strip()) for name in entry.name.split(","))
        found.append((names, re.sub(r",? ?optional$", "", entry.type), one_line(" ".join(entry.desc))))
    return found
