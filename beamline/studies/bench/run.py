"""All benchmarks in one run."""

from __future__ import annotations

from collections.abc import Callable

from beamline.studies.bench import contenders, files, kernels, scaling, updates
from beamline.studies.bench.rows import BenchRow
from beamline.studies.bench.shots import one_second

ROUNDS = 80
FEW = 5
"""Rounds of the contenders, which are slow enough to be steady."""


def run(notify: Callable[[str], None], rounds: int = ROUNDS) -> list[BenchRow]:
    """Check that all answers agree, then measure.

    Parameters
    ----------
    notify : callable
        Takes the name of what is measured next.
    rounds : int
        Repeats of what takes a millisecond; slower things are repeated less often.
    """
    notify("equal answers")
    second = one_second()
    kernels.check(second)
    rows = []
    for name, measure, turns in (
        ("kernels", kernels.measure, rounds),
        ("contenders", contenders.measure, min(rounds, FEW)),
        ("updates", updates.measure, 3 * rounds),
        ("files", files.measure, 2 * rounds),
        ("scaling", scaling.measure, rounds),
    ):
        notify(name)
        rows += measure(second, turns)
    return rows
