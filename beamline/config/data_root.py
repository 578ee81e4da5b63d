"""The data root of a configuration: one folder for each cycle and proposal, where the file asks for that."""

from __future__ import annotations

import re
from collections.abc import Mapping
from string import Formatter

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*")
"""What a folder may be called: no way to elsewhere, nothing hidden."""


def placeholders(root: str) -> list[str]:
    """Names in braces, in order.

    Raises
    ------
    ValueError
        If a brace stands alone.
    """
    return [name for _, name, _, _ in Formatter().parse(root) if name is not None]


def filled_root(root: str, values: Mapping[str, str]) -> str:
    """A root with the values in place of their names in braces.

    Raises
    ------
    ValueError
        Naming an unknown name, or a value that is empty or would be no single folder.
    """
    names = placeholders(root)
    for name in names:
        if name not in values:
            raise ValueError(f"root: {{{name}}} is not known; known are {', '.join(f'{{{key}}}' for key in values)}")
        if not values[name]:
            raise ValueError(f"root: {{{name}}} stands in it and {name} is empty")
        if not NAME.fullmatch(values[name]):
            raise ValueError(
                f"root: {name} {values[name]!r} is no name of a folder; letters, digits, single '.', '_' and '-' are"
            )
    for name in names:
        root = root.replace(f"{{{name}}}", values[name])
    return root
