"""Mean and scatter of float32 pulse heights by phase.

Deviations from a first guess of the mean are summed in double precision: sums of the squares themselves would lose the
scatter of heights that lie far from zero.
"""

from __future__ import annotations

import numpy as np

from reduction.kernel_cache import kernel
from reduction.shots.kernels.layout import FLOATS_PER_VECTOR
from reduction.shots.kernels.vectors import add, load, lower_doubles, multiply_add, store, subtract, upper_doubles

MOST_ROWS = 600


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
def _add_four(at, middle, a, b, c, d, sums, squares):  # type: ignore[no-untyped-def]
    """Add four vectors."""
    a, b, c, d = subtract(a, middle), subtract(b, middle), subtract(c, middle), subtract(d, middle)
    store(sums, at, add(load(sums, at), add(add(a, b), add(c, d))))
    total = multiply_add(a, a, multiply_add(b, b, load(squares, at)))
    store(squares, at, multiply_add(c, c, multiply_add(d, d, total)))


@kernel(error_model="numpy", nogil=True)
def _add_row(heights, start, strip, origin, sums, squares):  # type: ignore[no-untyped-def]
    """Add one row of each of four strips."""
    for lane in range(0, sums.size, FLOATS_PER_VECTOR):
        at = start + lane
        a, b = load(heights, at), load(heights, at + strip)
        c, d = load(heights, at + 2 * strip), load(heights, at + 3 * strip)
        lower, upper = load(origin, lane), load(origin, lane + 8)
        _add_four(lane, lower, lower_doubles(a), lower_doubles(b), lower_doubles(c), lower_doubles(d), sums, squares)
        _add_four(
            lane + 8, upper, upper_doubles(a), upper_doubles(b), upper_doubles(c), upper_doubles(d), sums, squares
        )


@kernel(error_model="numpy", nogil=True)
def sum_deviations(heights, num_phases, row, origin, sums, squares):  # type: ignore[no-untyped-def]
    """Add the deviations of heights from `origin`, and their squares, by phase counted from the first shot.

    Parameters
    ----------
    heights : float32[N], contiguous
    num_phases : int
    row : int
        From `layout.float_row`.
    origin, sums, squares : float64[P]
    """
    cycles = row // num_phases
    row_origin, both = np.empty(row), np.zeros((2, row))
    for cycle in range(cycles):
        row_origin[cycle * num_phases : (cycle + 1) * num_phases] = origin
    first, left = 0, heights.size // (4 * row)
    while left > 0:
        rows = min(left, MOST_ROWS)
        strip = rows * row
        for start in range(first, first + strip, row):
            _add_row(heights, start, strip, row_origin, both[0], both[1])
        first, left = first + 4 * strip, left - rows
    for cycle in range(cycles):
        for phase in range(num_phases):
            sums[phase] += both[0, cycle * num_phases + phase]
            squares[phase] += both[1, cycle * num_phases + phase]
    sum_deviations_plainly(heights[first:], num_phases, origin, sums, squares)
