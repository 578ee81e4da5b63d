"""Quantities by name, as users type them: ``C(slot=0)``, ``transient(slot=1, energy=13.472)``, ``lifetime(2)``.

Texts are taken apart by a pattern; nothing is evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

UNITS: Mapping[str, tuple[str, float]] = {
    "ps": ("ps", 1.0), "ns": ("ps", 1e3), "us": ("ps", 1e6), "ms": ("ps", 1e9),
    "keV": ("keV", 1.0), "eV": ("keV", 1e-3), "mJ/cm2": ("mJ/cm2", 1.0),
}  # fmt: skip
"""Each with the unit that numbers are kept in, and how many of those it is."""
_CALL = re.compile(r"\s*([A-Za-z_]\w*)\s*(?:\(([^()]*)\))?\s*")
_AMOUNT = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([A-Za-z/%0-9]*)\s*")
_WEIGHT = re.compile(r"(.*),\s*weight\s+(.*)")
_WORD = re.compile(r"\s*([A-Za-z_]\w*)\s*")
SIGMA = "sigma"


class TargetError(ValueError):
    """A quantity or its wanted error is refused; the message names it."""


@dataclass(frozen=True)
class NamedQuantity:
    """A quantity as it was typed.

    Attributes
    ----------
    text : str
    name : str
    arguments : tuple
        Numbers in ps, keV or mJ/cm2, or words.
    options : mapping
    """

    text: str
    name: str
    arguments: tuple[Any, ...]
    options: Mapping[str, Any]

    def only(self, arguments: int, options: Sequence[str]) -> NamedQuantity:
        """Refuse more arguments than these, and other options.

        Raises
        ------
        TargetError
        """
        if len(self.arguments) != arguments:
            raise TargetError(f"{self.text}: {self.name} takes {arguments} value(s) before its options")
        if unknown := sorted(set(self.options) - set(options)):
            raise TargetError(f"{self.text}: unknown {', '.join(unknown)}; known are {', '.join(sorted(options))}")
        return self


def parse_quantity(text: str) -> NamedQuantity:
    """A quantity from its text.

    Raises
    ------
    TargetError
        Naming the text.
    """
    found = _CALL.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise TargetError(
            f"{text!r} is no quantity; examples: C(slot=0), transient(slot=1, energy=13.472), lifetime(2)"
        )
    parts = [part for part in (found[2] or "").split(",") if part.strip()]
    pairs = [part.split("=", 1) for part in parts if "=" in part]
    arguments = tuple(_value(text, part) for part in parts if "=" not in part)
    options = {name.strip(): _value(text, value) for name, value in pairs}
    if len(options) < len(pairs):
        raise TargetError(f"{text}: an option is given twice")
    return NamedQuantity(text.strip(), found[1], arguments, options)


def _value(text: str, part: str) -> Any:
    if word := _WORD.fullmatch(part):
        return word[1]
    value, unit = _amount(text, part)
    if unit and unit not in UNITS:
        raise TargetError(f"{text}: {unit!r} is no unit; known are {', '.join(UNITS)}")
    return value * UNITS[unit][1] if unit else value


def _amount(text: str, part: str) -> tuple[float, str]:
    found = _AMOUNT.fullmatch(part)
    if found is None:
        raise TargetError(f"{text}: {part.strip()!r} is neither a number nor a word")
    return float(found[1]), found[2]


def wanted_error(text: str, wanted: Any, value: float, unit: str) -> float:
    """Standard error that is wanted of a quantity.

    Parameters
    ----------
    text : str
        The quantity, for messages.
    wanted : float, str or pair of float
        In the unit of the quantity, or ``"10 %"`` of its expected value, ``"5 sigma"`` (a fifth of it), or the two ends
        of an interval of one standard error to either side. Texts may end with a weight, see `weight_of`.
    value : float
        Expected.
    unit : str

    Raises
    ------
    TargetError
    """
    error = _error(text, wanted, abs(value), unit)
    if not 0 < error < float("inf"):
        raise TargetError(f"{text}: the wanted error must be a number above 0, not {wanted!r}")
    return error


def weight_of(text: str, wanted: Any) -> float:
    """Weight of a target, as in ``"10 %, weight 3"``; 0 without one.

    Raises
    ------
    TargetError
    """
    found = _WEIGHT.fullmatch(wanted) if isinstance(wanted, str) else None
    if found is None:
        return 0.0
    weight, unit = _amount(text, found[2])
    if unit or not 0 < weight < float("inf"):
        raise TargetError(f"{text}: a weight must be a number above 0, not {found[2].strip()!r}")
    return weight


def _error(text: str, wanted: Any, size: float, unit: str) -> float:
    if isinstance(wanted, str):
        weighted = _WEIGHT.fullmatch(wanted)
        return _of_text(text, *_amount(text, weighted[1] if weighted else wanted), size, unit)
    if isinstance(wanted, Sequence) and len(wanted) == 2 and all(map(_is_number, wanted)):
        return (float(wanted[1]) - float(wanted[0])) / 2
    if not _is_number(wanted):
        raise TargetError(
            f"{text}: the wanted error must be a number, '10 %', '5 sigma' or an interval, not {wanted!r}"
        )
    return float(wanted)


def _of_text(text: str, number: float, given: str, size: float, unit: str) -> float:
    if given in ("%", SIGMA) and not size > 0:
        raise TargetError(f"{text} is expected to be 0: give its wanted error as a number")
    if given == "%":
        return number / 100 * size
    if given == SIGMA:
        return size / number if number > 0 else 0.0
    if given and (given not in UNITS or UNITS[given][0] != unit):
        raise TargetError(f"{text}: the wanted error has the unit {unit or 'none'}, not {given!r}")
    return number * UNITS[given][1] if given else number


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
