"""The grids of the edges: what the experiment and the comparison parameter C need of them."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import xraydb

from plans.compilation.edge_table import edge_data
from plans.compilation.edges import edge_of, find_edge, packaged_entries

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
    assert set(packaged_entries()) == set(NAMES)


def test_the_grids_of_the_experiment_are_those_of_earlier_versions_to_the_bit() -> None:
    digests = {name: hashlib.sha256(find_edge(name).grid().tobytes()).hexdigest()[:16] for name in NAMES}
    assert digests == {"Br_K": "dd78da9b08993afe", "Pb_L3": "d6dd07c1924e5733"}


def test_the_lightest_element_is_hydrogen() -> None:
    assert edge_data("H_K").e0 == pytest.approx(13.6e-3, rel=0.01)


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


@pytest.mark.parametrize("name", NAMES)
def test_energies_and_widths_of_the_entries_are_those_of_the_tables(name: str) -> None:
    edge = find_edge(name)
    assert (edge.element, edge.shell) == tuple(name.split("_"))
    assert edge.e0 == pytest.approx(1e-3 * xraydb.xray_edge(edge.element, edge.shell).energy)
    assert edge.core_hole_width == pytest.approx(xraydb.core_width(edge.element, edge.shell))


ANY = {"Ti_K": 4.966, "Fe_K": 7.112, "Cu_K": 8.979, "I_L3": 4.557, "W_L3": 10.207, "U_L3": 17.166, "Gd_M5": 1.190}
"""keV: edge energies of the X-ray Data Booklet (LBNL, table 1-1)."""


@pytest.mark.parametrize("name", ANY)
def test_any_other_edge_gets_a_grid_around_its_energy(name: str) -> None:
    edge = find_edge(name)
    grid = edge.grid()
    assert edge.e0 == pytest.approx(ANY[name], abs=3e-3)
    steps = 1e3 * np.diff(grid[(grid > edge.e0 - 0.0095) & (grid < edge.e0 + 0.0295)])
    half_width = min(max(edge.core_hole_width / 2, 0.25), 1.0)
    assert steps.max() == pytest.approx(half_width, abs=0.026) and np.ptp(steps) < 1.1e-3
    above = grid[(grid > edge.e0 + 0.032) & (grid < edge.e0 + 0.098)]
    wave_numbers = np.sqrt((above - edge.e0) * 1e3 / 3.81)
    assert np.diff(wave_numbers) == pytest.approx(0.1, abs=1e-3)
    for low, high in (edge.pre_edge, edge.integral):
        assert np.count_nonzero((grid >= low) & (grid <= high)) >= 4
    assert edge.pre_edge[1] < edge.integral[0]
    assert edge.main_feature is edge.comparison_main is edge.comparison_pre is None


def test_the_default_grid_moves_with_the_energy_of_an_entry() -> None:
    moved, before = edge_of("Fe_K", {"e0": 7.124}), find_edge("Fe_K")
    np.testing.assert_allclose(moved.grid() - 0.012, before.grid(), atol=1e-9)
    assert moved.pre_edge[1] - 0.012 == pytest.approx(before.pre_edge[1])


def test_a_free_name_is_an_edge_where_its_entry_names_element_and_shell() -> None:
    fine = edge_of("pre_peak", {"element": "Fe", "shell": "K", "relative_regions": [[-40, -5, 5], [-5, 15, 0.2]]})
    assert (fine.name, fine.element, fine.e0) == ("pre_peak", "Fe", 7.112)
    assert np.diff(fine.grid()[-20:]) == pytest.approx(2e-4)


WRONG = [
    ("fe_k", {}, r"^edge 'fe_k' is no element and edge such as Fe_K; perhaps Fe_K"),
    ("K-Fe", {}, r"perhaps Fe_K"),
    ("Xq_K", {}, r"^edge 'Xq_K': there is no element 'Xq'; perhaps Xe_K"),
    ("Fe_L7", {}, r"^edge 'Fe_L7': Fe has no edge 'L7', but K, L1, L2, L3"),
    ("Es_K", {}, r"^edge 'Es_K': there is no element 'Es'"),
    ("H_K", {}, r"^edge H_K: E0 is 13.6 eV, too low for a grid that begins 50 eV below"),
    (
        "Fe_K",
        {"regions": [[7.0, 7.1, 2], [7.1, 7.2, 4]]},
        r"^edge Fe_K: the grid is too coarse: steps of up to 4 eV at",
    ),
    ("Fe_K", {"regions": [[7.0, 7.1, 2]]}, r"^edge Fe_K: .*(no points at E0|holds no point)"),
    ("Fe_K", {"pre_edge": [7.07, 7.11]}, r"^edge Fe_K: pre_edge ends at 7\.11 keV, above 7\.102 keV"),
    ("Fe_K", {"pre_edge": [7.0701, 7.0702]}, r"^edge Fe_K: pre_edge, 7\.0701 to 7\.0702 keV, holds no point"),
    ("Fe_K", {"pre_edge": [7.1, 7.07]}, r"^edge Fe_K: pre_edge must go from a lower to a higher energy"),
    ("Fe_K", {"comparison_main": [7.12, 7.122]}, r"^edge Fe_K: comparison_main and comparison_pre belong together"),
    ("Fe_K", {"main_feature": 8.0}, r"^edge Fe_K: main_feature 8 keV is outside of the grid"),
    ("Fe_K", {"relative_regions": [[-50, 50, "0.1k"]]}, r"^edge Fe_K: a step of 0\.1k .* needs a region above E0"),
    ("Fe_K", {"relative_regions": [[-50, 50, 0]]}, r"^edge Fe_K: the step 0 of a region must be above 0"),
    ("Fe_K", {"relative_regions": [[50, -50, 1]]}, r"^edge Fe_K: the region from 50 to -50 eV must go upwards"),
    ("Fe_K", {"regions": [[7, 8]]}, r"^edge Fe_K: a region is \[start, stop, step\], not \[7, 8\]"),
    ("Fe_K", {"regions": [[7.0, 7.2, 1]], "relative_regions": [[-50, 50, 1]]}, r"^edge Fe_K: give regions"),
    ("Fe_K", {"eo": 7.1}, r"^edge Fe_K: eo is not known; known are comparison_main"),
]


@pytest.mark.parametrize(("name", "entry", "said"), WRONG, ids=[f"{name}-{entry}" for name, entry, _ in WRONG])
def test_a_wrong_edge_is_refused_with_the_way_out(name: str, entry: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        edge_of(name, entry)
