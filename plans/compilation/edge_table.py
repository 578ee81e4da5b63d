"""Elements and their absorption edges from the tables of `xraydb`: energies and core-hole widths."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

NAME = re.compile(r"([A-Z][a-z]?)_(K|[LMNOP][1-7])")
"""Names that give element and edge."""
HEAVIEST = 98
"""Atomic number up to which the tables go."""


@dataclass(frozen=True)
class EdgeData:
    """Tabulated numbers of an edge: symbols, E0 (keV), core-hole width (eV)."""

    element: str
    shell: str
    e0: float
    core_hole_width: float


def edge_data(name: str, element: str | None = None, shell: str | None = None) -> EdgeData:
    """Tabulated numbers of an edge.

    Parameters
    ----------
    name : str
        For example ``Fe_K``.
    element, shell : str, optional
        Where the name is a free one.

    Raises
    ------
    ValueError
        If the element or the edge is not known; the message suggests the right ones.
    """
    import xraydb  # imported here: it takes a second, and most edges of a session are known after the first

    found = NAME.fullmatch(name)
    element, shell = element or (found and found[1]), shell or (found and found[2])
    if not element or not shell:
        raise ValueError(
            f"edge {name!r} is no element and edge such as Fe_K{_perhaps(name)}; a free name needs element and shell"
            " in its entry of [edges]"
        )
    if element not in _elements():
        raise ValueError(f"edge {name!r}: there is no element {element!r}{_perhaps(name)}")
    shells = xraydb.xray_edges(element)
    if shell not in shells:
        raise ValueError(f"edge {name!r}: {element} has no edge {shell!r}, but {', '.join(shells)}")
    width = xraydb.core_width(element, shell)
    return EdgeData(element, shell, round(shells[shell].energy * 1e-3, 6), float(width or 0.0))


@cache
def _elements() -> tuple[str, ...]:
    import xraydb

    return tuple(xraydb.atomic_symbol(number) for number in range(1, HEAVIEST + 1))


def _perhaps(name: str) -> str:
    """Edges that a wrong name may mean, as the end of a sentence."""
    meant = list(dict.fromkeys(_readings(name)))
    return f"; perhaps {' or '.join(meant)}" if meant else ""


def _readings(name: str) -> list[str]:
    """Names of edges whose letters, in any case, are those of a name, or that differ by a letter of the element."""
    letters = "".join(re.findall(r"[A-Za-z0-9]", name))
    found: list[str] = []
    for cut in range(1, len(letters)):
        for element, shell in ((letters[:cut], letters[cut:]), (letters[cut:], letters[:cut])):
            candidate = f"{element.capitalize()}_{shell.upper()}"
            if NAME.fullmatch(candidate) and element.capitalize() in _elements():
                found.append(candidate)
    return found or _similar(name)


def _similar(name: str) -> list[str]:
    import difflib

    element, _, shell = name.partition("_")
    close: list[Any] = difflib.get_close_matches(element.capitalize(), _elements(), n=4, cutoff=0.5)
    return [f"{each}_{shell}" for each in close if NAME.fullmatch(f"{each}_{shell}")]
