"""The grids of the edges: what the experiment and the comparison parameter C need of them."""

from __future__ import annotations

import numpy as np
import pytest

from plans.compilation.edges import EDGES, find_edge

# Energies in keV of the paper: range of a scan, transient features, windows of C.
RANGES = {"Br_K": (13.450, 13.570), "Pb_L3": (13.000, 13.140)}
FEATURES = {"Br_K": (13.4675, 13.472, 13.4765), "Pb_L3": (13.031, 13.038, 13.043, 13.060)}
ABOVE = {"Br_K": (13.485, 13.497, 13.508), "Pb_L3": ()}
C_WINDOWS = {
    "Br_K": ((13.471, 13.472), (13.468, 13.469)),
    "Pb_L3": ((13.044, 13.047), (13.037, 13.040)),
}
NAMES = tuple(RANGES)


def test_the_edges_are_those_of_the_experiment() -> None:
    assert set(EDGES) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_range(name: str) -> None:
    grid = find_edge(name).grid()
    assert (grid[0], grid[-1]) == RANGES[name]
    assert np.all(np.diff(grid) > 0)


@pytest.mark.parametrize("name", NAMES)
def test_better_than_half_an_electronvolt_in_the_edge(name: str) -> None:
    grid = find_edge(name).grid()
    inside = (grid >= min(FEATURES[name]) - 0.003) & (grid <= max(FEATURES[name]) + 0.001)
    assert np.diff(grid[inside]).max() < 0.5e-3 + 1e-9
    white_line = np.abs(grid - FEATURES[name][1]) < 1.5e-3
    assert np.diff(grid[white_line]).max() <= 0.4e-3 + 1e-9


@pytest.mark.parametrize("name", NAMES)
def test_wider_above_the_edge(name: str) -> None:
    steps = np.diff(find_edge(name).grid())
    assert steps[-1] > 2e-3
    assert steps[0] > 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_features_are_points(name: str) -> None:
    grid = find_edge(name).grid()
    for feature in (*FEATURES[name], *ABOVE[name]):
        assert np.abs(grid - feature).min() < 2e-4 + 0.5e-3 * (feature in ABOVE[name]), feature


@pytest.mark.parametrize("name", NAMES)
def test_points_in_the_windows_of_c_are_equally_spaced_and_as_many_in_both(name: str) -> None:
    edge = find_edge(name)
    grid = edge.grid()
    assert (edge.comparison_main, edge.comparison_pre) == C_WINDOWS[name]
    inside = [grid[(grid >= low - 1e-9) & (grid <= high + 1e-9)] for low, high in C_WINDOWS[name]]
    assert inside[0].size == inside[1].size >= 5
    for window, points in zip(C_WINDOWS[name], inside, strict=True):
        assert (points[0], points[-1]) == pytest.approx(window, abs=1e-9)
    steps = np.concatenate([np.diff(points) for points in inside])
    assert np.ptp(steps) < 1e-9


@pytest.mark.parametrize("name", NAMES)
def test_windows_of_offset_and_integral_have_points_and_lie_on_their_sides(name: str) -> None:
    edge = find_edge(name)
    grid = edge.grid()
    for low, high in (edge.pre_edge, edge.integral):
        assert np.count_nonzero((grid >= low) & (grid <= high)) >= 4
        assert grid[0] <= low < high <= grid[-1]
    assert edge.pre_edge[1] < min(FEATURES[name])
    assert edge.main_feature in grid


def test_an_edge_that_is_not_known_is_refused_with_those_that_are() -> None:
    with pytest.raises(ValueError, match=r"edge 'Fe_K' is not known; known are Br_K, Pb_L3"):
        find_edge("Fe_K")


def test_the_edges_are_immutable() -> None:
    with pytest.raises(TypeError):
        EDGES["Fe_K"] = EDGES["Br_K"]  # type: ignore[index]
