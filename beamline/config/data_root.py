"""The data root of a configuration: one folder per cycle and proposal, if its path has these placeholders."""

from __future__ import annotations

import re
from collections.abc import Mapping
from string import Formatter

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*")
"""Allowed folder names: no path separators, not hidden."""


def placeholders(root: str) -> list[str]:
    """Placeholder names in braces, in order.

    Raises
    ------
    ValueError
        If a brace is unbalanced.
    """
    return [name for _, name, _, _ in Formatter().parse(root) if name is not None]


def filled_root(root: str, values: Mapping[str, str]) -> str:
    """A root with its placeholders replaced by their values.

    Raises
    ------
    ValueError
        Naming an unknown placeholder, or a value that is empty or not a valid folder name.
    """
    names = placeholders(root)
    for name in names:
        if name not in values:
            raise ValueError(f"root: {{{name}}} is not known; known are {', '.join(f'{{{key}}}' for key in values)}")
        if not values[name]:
            raise ValueError(f"root: {{{name}}} is used and {name} is empty")
        if not NAME.fullmatch(values[name]):
            raise ValueError(
                f"root: {name} {values[name]!r} is not a folder name; use letters, digits, single '.', '_' and '-'"
            )
    for name in names:
        root = root.replace(f"{{{name}}}", values[name])
    return root
