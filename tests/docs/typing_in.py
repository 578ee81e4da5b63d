"""Pages whose blocks are typed in by tests, in order, as a reader would."""

from __future__ import annotations

import contextlib
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```(python|sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"[+-]?\d[\d.]*(?:e[+-]\d+)?")


@dataclass(frozen=True)
class Step:
    """A block to type in, and its output on the page (empty: none)."""

    kind: str
    text: str
    printed: str


def steps(page: str) -> list[Step]:
    """The blocks of a page below docs/, each with the text block that follows it."""
    blocks = BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))
    following = [*blocks[1:], ("", "")]
    return [
        Step(kind, text, after if of == "text" else "")
        for (kind, text), (of, after) in zip(blocks, following, strict=True)
        if kind != "text"
    ]


def words_of(text: str) -> list[str]:
    """A text without its numbers, which differ a little from time to time."""
    return NUMBER.sub("#", text).split()


def numbers(text: str) -> list[float]:
    """The numbers of a text, in order."""
    return [float(each.rstrip(".")) for each in NUMBER.findall(text)]


def type_in(names: dict[str, Any], text: str) -> str:
    """Run a block with these names; what it printed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(text, "page", "exec"), names)
    return printed.getvalue()
