"""Interleaved timing of several functions, so that slow changes of the load affect all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Work = Callable[[], object]


def interleaved(works: Mapping[str, Work], rounds: int, warm: bool = True) -> dict[str, NDArray[np.float64]]:
    """Seconds of each function in each round, after one warm-up call.

    Parameters
    ----------
    works : mapping of name to function without arguments
    rounds : int
    warm : bool
        Call each function once before each timed call, so that its own data are in the caches as far as they fit.
    """
    for work in works.values():
        work()
    seconds = {name: np.empty(rounds) for name in works}
    for turn in range(rounds):
        for name, work in works.items():
            if warm:
                work()
            began = time.perf_counter()
            work()
            seconds[name][turn] = time.perf_counter() - began
    return seconds


def ratio(seconds: Mapping[str, NDArray[np.float64]], over: str, under: str) -> float:
    """Ratio of the shortest times of two functions: other programs can only add time."""
    return float(seconds[over].min() / seconds[under].min())
