"""All numbers of many scenarios in one table: bias, width of the pulls, coverage, wrong results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np

from beamline.studies.numbers.measure import Number, numbers_of
from beamline.studies.numbers.scenarios import draw

WRONG = 3.0
"""Standard deviations beyond which a result is wrong; a normal distribution gives 0.27 %."""


@dataclass(frozen=True)
class Row:
    """One kind of number with one reference.

    Attributes
    ----------
    name, reference : str
    count : int
    bias, width : float
        Mean and standard deviation of the pulls.
    inside : tuple of float
        Fraction of the 68 and 95 % intervals that contain the truth.
    wrong_noted, wrong_silent : float
        Fraction of wrong results with and without a note.
    """

    name: str
    reference: str
    count: int
    bias: float
    width: float
    inside: tuple[float, float]
    wrong_noted: float
    wrong_silent: float


def study(scenarios: int, first: int = 0, jobs: int = 1) -> Iterator[list[Number | str]]:
    """Numbers of each scenario, in order; a text for each number that the reduction refused."""
    seeds = range(first, first + scenarios)
    if jobs == 1:
        yield from map(_numbers, seeds)
        return
    with get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(_numbers, seeds, chunksize=4)


def _numbers(seed: int) -> list[Number | str]:
    return list(numbers_of(draw(seed)))


def rows(numbers: Iterable[Number | str]) -> list[Row]:
    """One row per kind of number and reference."""
    found: dict[tuple[str, str], list[Number]] = {}
    for one in numbers:
        if isinstance(one, Number) and np.isfinite(one.pull):
            found.setdefault((one.name, one.reference), []).append(one)
    return [_row(name, reference, found[name, reference]) for name, reference in sorted(found)]


def _row(name: str, reference: str, numbers: list[Number]) -> Row:
    pull = np.array([one.pull for one in numbers])
    noted = np.array([one.noted for one in numbers])
    wrong = np.abs(pull) > WRONG
    inner, outer = np.mean([one.inside for one in numbers], axis=0)
    return Row(
        name, reference, pull.size, float(pull.mean()), float(pull.std()), (float(inner), float(outer)),
        float((wrong & noted).mean()), float((wrong & ~noted).mean()),
    )  # fmt: skip
