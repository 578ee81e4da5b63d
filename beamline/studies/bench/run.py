"""All benchmarks in one run."""

from __future__ import annotations

from collections.abc import Callable

from beamline.studies.bench import contenders, files, kernels, scaling, updates
from beamline.studies.bench.rows import BenchRow
from beamline.studies.bench.shots import one_second

ROUNDS = 80
FEW = 5
"""Rounds of the other libraries, which are slow and therefore steady."""


def run(notify: Callable[[str], None], rounds: int = ROUNDS) -> list[BenchRow]:
    """Check that all results agree, then measure.

    Parameters
    ----------
    notify : callable
        Called with the name of the next benchmark.
    rounds : int
        Repeats of millisecond benchmarks; slower ones are repeated less often.
    """
    notify("equal results")
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
