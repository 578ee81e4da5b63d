"""Mean and scatter of float32 pulse heights by phase.

Deviations from a first guess of the mean are summed in double precision: sums of the squares themselves would lose the
scatter of heights that lie far from zero.
"""

from __future__ import annotations

import numpy as np

from reduction.kernel_cache import kernel
from reduction.shots.kernels.layout import FLOATS
from reduction.shots.kernels.vectors import filled, load, load_doubles, multiply_add, store

DOUBLES = 8
"""Of a vector."""


@kernel(error_model="numpy", nogil=True)
def sum_deviations_plainly(heights, num_phases, origin, sums, squares):  # type: ignore[no-untyped-def]
    """Shot-by-shot definition of `sum_deviations`."""
    phase = 0
    for shot in range(heights.size):
        deviation = np.float64(heights[shot]) - origin[phase]
        sums[phase] += deviation
        squares[phase] += deviation * deviation
        phase += 1
        if phase == num_phases:
            phase = 0


@kernel(error_model="numpy", nogil=True)
def _add_row(heights, start, strip, origin, sums, squares):  # type: ignore[no-untyped-def]
    """Add one row of each of four strips. A sum is a product with 1: some processors multiply beside subtracting."""
    one = filled(sums, 1)
    for lane in range(0, sums.size, DOUBLES):
        middle, total, square = load(origin, lane), load(sums, lane), load(squares, lane)
        for each in range(FLOATS.strips):
            deviation = load_doubles(heights, start + each * strip + lane) - middle
            total = multiply_add(deviation, one, total)
            square = multiply_add(deviation, deviation, square)
        store(sums, lane, total)
        store(squares, lane, square)


@kernel(error_model="numpy", nogil=True)
def sum_deviations(heights, num_phases, row, origin, sums, squares):  # type: ignore[no-untyped-def]
    """Add the deviations of heights from `origin`, and their squares, by phase counted from the first shot.

    Parameters
    ----------
    heights : float32[N], contiguous
    num_phases : int
    row : int
        From `layout.FLOATS`.
    origin, sums, squares : float64[P]
    """
    cycles = row // num_phases
    row_origin, both = np.empty(row), np.zeros((2, row))
    for cycle in range(cycles):
        row_origin[cycle * num_phases : (cycle + 1) * num_phases] = origin
    whole = heights.size // (FLOATS.strips * row)
    for done in range(0, whole, FLOATS.most):
        first, strip = done * FLOATS.strips * row, min(whole - done, FLOATS.most) * row
        for start in range(first, first + strip, row):
            _add_row(heights, start, strip, row_origin, both[0], both[1])
    for cycle in range(cycles):
        for phase in range(num_phases):
            sums[phase] += both[0, cycle * num_phases + phase]
            squares[phase] += both[1, cycle * num_phases + phase]
    sum_deviations_plainly(heights[whole * FLOATS.strips * row :], num_phases, origin, sums, squares)
