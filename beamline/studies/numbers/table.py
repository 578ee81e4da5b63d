"""All numbers of many scenarios in one table: bias, width of the pulls, coverage, wrong results; and the notes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

import numpy as np

from beamline.studies.numbers.measure import MEASUREMENTS, results_of
from beamline.studies.numbers.number import Number, StudyResult, is_usual, subject
from beamline.studies.numbers.scenarios import draw

WRONG = 3.0
"""Standard deviations beyond which a result is wrong; a normal distribution gives 0.27 %."""
FEW = 10
"""Numbers without a note below which a row has no statistics."""
COLUMNS = (
    "number", "reference", "n", "without a note", "bias", "width", "68 %", "95 %", "wrong, silent (%)",
    "wrong, noted (% of n)",
)  # fmt: skip
Found = list[StudyResult | str]


@dataclass(frozen=True)
class Row:
    """One kind of number with one reference.

    Attributes
    ----------
    name, reference : str
    count, without_note : int
        All numbers, and those whose result carries no note that contradicts it.
    bias, width : float
        Mean and standard deviation of the pulls of those without a note, as what follows; NaN if there are few.
    inside : tuple of float
        Fraction of the 68 and 95 % intervals that contain the truth.
    wrong_silent : float
        Fraction of wrong ones.
    wrong_noted : float
        Wrong results with a note, as a fraction of all.
    """

    name: str
    reference: str
    count: int
    without_note: int
    bias: float
    width: float
    inside: tuple[float, float]
    wrong_silent: float
    wrong_noted: float

    def cells(self) -> tuple[str, ...]:
        """Texts of a line of the table, in the order of `COLUMNS`."""
        percent = (f"{100 * self.inside[0]:.0f}", f"{100 * self.inside[1]:.0f}", f"{100 * self.wrong_silent:.1f}")
        measured = (f"{self.bias:+.2f}", f"{self.width:.2f}", *percent)
        shown = ("",) * len(measured) if np.isnan(self.bias) else measured
        noted = f"{100 * self.wrong_noted:.1f}"
        return self.name, self.reference, str(self.count), str(self.without_note), *shown, noted


@dataclass(frozen=True)
class NoteShare:
    """How many of the results of one kind carry a note.

    Attributes
    ----------
    kind, subject : str
    usual : bool
        Whether it is no evidence against a number.
    share : float
    """

    kind: str
    subject: str
    usual: bool
    share: float


def study(seeds: Sequence[int], jobs: int = 1, kinds: tuple[str, ...] = tuple(MEASUREMENTS)) -> Iterator[Found]:
    """Results of each scenario, in order; a text for each measurement that the reduction refused."""
    yield from in_processes(partial(_results, kinds=kinds), seeds, jobs)


def in_processes(one: Callable[[int], Found], seeds: Sequence[int], jobs: int) -> Iterator[Found]:
    """What a function finds for each seed, in order, by some processes."""
    if jobs == 1:
        yield from map(one, seeds)
        return
    with get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(one, seeds, chunksize=4)


def _results(seed: int, kinds: tuple[str, ...]) -> Found:
    return [f"scenario {seed}, {one}" if isinstance(one, str) else one for one in results_of(draw(seed), kinds)]


def numbers_of(found: Iterable[StudyResult | str]) -> list[Number]:
    """All numbers of results that have an error."""
    numbers = [number for one in found if isinstance(one, StudyResult) for number in one.numbers]
    return [number for number in numbers if np.isfinite(number.pull)]


def rows(numbers: Iterable[Number]) -> list[Row]:
    """One row per kind of number and reference."""
    found: dict[tuple[str, str], list[Number]] = {}
    for one in numbers:
        found.setdefault((one.name, one.reference), []).append(one)
    return [row_of(name, reference, found[name, reference]) for name, reference in sorted(found)]


def row_of(name: str, reference: str, numbers: list[Number]) -> Row:
    """The row of some numbers."""
    pull = np.array([one.pull for one in numbers])
    noted = np.array([one.noted for one in numbers])
    wrong_noted = float(((np.abs(pull) > WRONG) & noted).mean())
    pull = pull[~noted] if (~noted).sum() >= FEW else np.full(1, np.nan)
    away = np.abs(pull)
    return Row(
        name, reference, noted.size, int((~noted).sum()), float(pull.mean()), float(pull.std()),
        (float((away < 1).mean()), float((away < 2).mean())), float((away > WRONG).mean()), wrong_noted,
    )  # fmt: skip


def markdown(table: Iterable[Row]) -> str:
    """The table as it stands in the documentation."""
    lines = [COLUMNS, ("---",) * len(COLUMNS), *(row.cells() for row in table)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def note_shares(found: Iterable[StudyResult | str]) -> list[NoteShare]:
    """Share of the results of each kind that carry each note, the most frequent first."""
    results = [one for one in found if isinstance(one, StudyResult)]
    total: dict[str, int] = {}
    count: dict[tuple[str, str, bool], int] = {}
    for one in results:
        total[one.kind] = total.get(one.kind, 0) + 1
        for key in {(one.kind, subject(note), is_usual(note)) for note in one.notes}:
            count[key] = count.get(key, 0) + 1
    shares = [NoteShare(*key, number / total[key[0]]) for key, number in count.items()]
    return sorted(shares, key=lambda one: (one.kind, -one.share))
