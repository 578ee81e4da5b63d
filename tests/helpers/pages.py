"""Files and commands that a page of the documentation shows: the first line of a file's block is its path."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PATH = re.compile(r"# (/\S+)\n")


class Page:
    """The blocks of a page.

    Parameters
    ----------
    name : str
        Its path below ``docs/``.

    Attributes
    ----------
    files : dict
        Content of each file, by its path.
    commands : list of str
        Blocks of shell commands, in order.
    """

    def __init__(self, name: str) -> None:
        self.text = (DOCS / name).read_text(encoding="utf-8")
        self.files: dict[str, str] = {}
        self.commands: list[str] = []
        self.others: list[tuple[str, str]] = []
        for kind, text in BLOCK.findall(self.text):
            if path := PATH.match(text):
                self.files[path[1]] = text
            elif kind == "sh":
                self.commands.append(text)
            else:
                self.others.append((kind, text))

    def command(self, word: str) -> str:
        """The block of commands that has this word first."""
        return next(text for text in self.commands if word in text)
