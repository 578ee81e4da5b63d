"""Energy grids: pure functions, checked with random regions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plans.compilation.grid import Region, checked_grid, compile_regions

# A region in whole meV: start, step, number of steps. Fractions give the points that floats are held against.
whole_regions = st.tuples(st.integers(5_000_000, 20_000_000), st.integers(1, 10_000), st.integers(1, 50))


def region(start: int, step: int, number: int) -> Region:
    return Region(start / 1e6, (start + step * number) / 1e6, step / 1e3)


def points(start: int, step: int, number: int) -> set[Fraction]:
    return {Fraction(start + step * i, 1_000_000) for i in range(number + 1)}


@given(st.lists(whole_regions, min_size=1, max_size=6))
def test_a_grid_holds_every_point_of_its_regions_once_and_ascends(regions: list[tuple[int, int, int]]) -> None:
    grid = compile_regions([region(*each) for each in regions])
    expected = sorted(set().union(*(points(*each) for each in regions)))
    assert np.all(np.diff(grid) > 0)
    assert grid.dtype == np.float64
    assert grid.tolist() == [float(point) for point in expected]


@given(st.lists(whole_regions, min_size=1, max_size=6), st.randoms())
def test_the_order_of_regions_does_not_matter(regions: list[tuple[int, int, int]], random: st.DataObject) -> None:
    shuffled = list(regions)
    random.shuffle(shuffled)
    assert np.array_equal(
        compile_regions([region(*each) for each in regions]), compile_regions([region(*each) for each in shuffled])
    )


def test_regions_that_touch_share_their_end() -> None:
    grid = compile_regions([Region(13.450, 13.452, 1.0), Region(13.452, 13.453, 0.25)])
    assert grid.tolist() == [13.450, 13.451, 13.452, 13.45225, 13.4525, 13.45275, 13.453]


@given(whole_regions, st.integers(1, 100))
def test_a_step_that_misses_the_end_is_refused(whole: tuple[int, int, int], extra: int) -> None:
    start, step, number = whole
    stop = start + step * number + extra
    short = Region(start / 1e6, stop / 1e6, step / 1e3)
    if (stop - start) % step:
        with pytest.raises(ValueError, match="does not reach its end"):
            compile_regions([short])
    else:
        assert compile_regions([short]).size == (stop - start) // step + 1


@pytest.mark.parametrize(
    "odd",
    [
        Region(13.5, 13.4, 1.0),
        Region(13.5, 13.5, 1.0),
        Region(13.4, 13.5, 0.0),
        Region(13.4, 13.5, -1.0),
        Region(13.4, 13.5, 1e-7),
        Region(13.4, 13.5, float("nan")),
        Region(float("nan"), 13.5, 1.0),
        Region(13.4, float("inf"), 1.0),
    ],
)
def test_a_region_that_goes_nowhere_is_refused(odd: Region) -> None:
    with pytest.raises(ValueError, match="region"):
        compile_regions([Region(13.0, 13.1, 1.0), odd])


def test_no_region_is_no_grid() -> None:
    with pytest.raises(ValueError, match="at least one region"):
        compile_regions([])


@given(st.lists(st.floats(5, 20), min_size=2, max_size=30, unique=True))
def test_a_grid_of_ones_own_stays_as_it_is(energies: list[float]) -> None:
    grid = checked_grid(sorted(energies))
    assert grid.tolist() == sorted(energies)


@given(st.lists(st.floats(5, 20), min_size=2, max_size=30, unique=True), st.data())
def test_a_grid_that_does_not_ascend_is_refused_with_the_position(energies: list[float], data: st.DataObject) -> None:
    grid = sorted(energies)
    place = data.draw(st.integers(0, len(grid) - 2))
    grid[place], grid[place + 1] = grid[place + 1], grid[place]
    with pytest.raises(ValueError, match="energies must ascend without repeats"):
        checked_grid(grid)


@pytest.mark.parametrize(
    ("energies", "message"),
    [
        ([], "at least two points"),
        ([13.5], "at least two points"),
        (13.5, "at least two points"),
        ([[13.4, 13.5], [13.6, 13.7]], "at least two points"),
        ([13.4, 13.4], r"13\.40000 keV is followed by 13\.40000 keV"),
        ([13.4, 13.6, 13.5], r"13\.60000 keV is followed by 13\.50000 keV"),
        ([13.4, float("nan"), 13.6], "not a finite number"),
        ([13.4, float("inf")], "not a finite number"),
        (["a", "b"], "energies"),
        (None, "energies"),
    ],
)
def test_what_is_no_grid_is_refused(energies: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        checked_grid(energies)  # type: ignore[arg-type]
