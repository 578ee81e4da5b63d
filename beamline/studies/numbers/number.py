"""One reduced number beside its truth, and the notes that speak against it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

USUAL = (
    "is not possible: each slot sees only some bunches",
    "Passes were aligned",
    "Passes scatter",
    "Laser-off dwells against each other",
    "Permuted labels",
    "Two halves",
    "The edge step changes",
    "The level before the edge changes",
    "No decay is seen",
    "No slot is",
    "The sample drifts by",
    "lag 2 agrees with this",
    "Before time zero there may be light of the laser",
)
"""Notes that are no evidence against any number: which reference was taken, noise of the jet that the errors
contain, and assumptions that the data confirm."""


@dataclass(frozen=True)
class Number:
    """One reduced number and its truth.

    Attributes
    ----------
    name, reference : str
    value, truth, stddev : float
    pull : float
        Deviation from the truth in standard deviations; for an interval by likelihood its signed root.
    noted : bool
        Whether the result carries a note that is evidence against it.
    """

    name: str
    reference: str
    value: float
    truth: float
    stddev: float
    pull: float
    noted: bool


@dataclass(frozen=True)
class StudyResult:
    """Numbers of one reduced scan.

    Attributes
    ----------
    kind, reference : str
    notes : tuple of str
        All sentences of the result.
    numbers : tuple of Number
    """

    kind: str
    reference: str
    notes: tuple[str, ...]
    numbers: tuple[Number, ...]


class Collected:
    """Numbers of a result as they are compared."""

    def __init__(self, kind: str, reference: str, notes: Iterable[str]) -> None:
        self.kind, self.reference = kind, reference
        self.notes = tuple(one for text in notes for one in sentences(text))
        self.noted = any(not is_usual(one) for one in self.notes)
        self.numbers: list[Number] = []

    def add(self, name: str, value: float, truth: float, stddev: float, pull: float | None = None) -> None:
        """Add a number; its interval is that of a normal distribution unless a pull is given."""
        if pull is None:
            pull = (value - truth) / stddev
        found = (float(value), float(truth), float(stddev), float(pull))
        self.numbers.append(Number(name, self.reference, *found, self.noted))

    def result(self) -> StudyResult:
        return StudyResult(self.kind, self.reference, self.notes, tuple(self.numbers))


def sentences(text: str) -> list[str]:
    """A text by its sentences; a full stop within a number ends none."""
    return [one for one in re.split(r"(?<=\.) (?=[A-Z0-9])", text.strip()) if one]


def is_usual(sentence: str) -> bool:
    return any(part in sentence for part in USUAL)


def subject(sentence: str) -> str:
    """What a note is about: its first words, without its numbers."""
    words = re.sub(r"[-+]?\d[\d.e+-]*", "#", sentence).split()
    return " ".join(words[:8])
