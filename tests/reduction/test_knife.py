"""Knife edges and focus from drawn counts: right errors, and what is missing by name. Beams by scipy's normal law."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from reduction.findings.focus import FocusScan, find_focus
from reduction.findings.knife import PARALLAX, BladeScan, KnifeScan, find_knife, fit_edge
from tests.reduction.test_findings import check_pulls

FWHM = 2.354820045
PLACES = np.concatenate([np.linspace(-270.0, 270.0, 19), 12.0 + 50.0 * np.linspace(-1.3, 1.3, 11)])


def behind(centre: float, fwhm: float, height: float, places: np.ndarray = PLACES) -> np.ndarray:
    """A blade covers what is at smaller coordinates."""
    return np.asarray(height * norm.sf(places, centre, fwhm / FWHM))


def blade(rng: np.random.Generator, laser: float = 4e5, xrays: float = 4e5, off: float = 12.0) -> BladeScan:
    close = off + 50.0 * np.linspace(-1.3, 1.3, 11), np.linspace(-8.0, 8.0, 11)
    places = np.concatenate([np.linspace(-270.0, 270.0, 19), *close])
    off_light = behind(0.0, 5.0, xrays, places) + 100.0
    on_light = off_light + behind(off, 50.0, laser, places)
    counts = [rng.poisson(each * 0.1) * (1 + 1e-3 * rng.standard_normal(places.size)) for each in (off_light, on_light)]
    dark, both = (each / 0.1 for each in counts)
    return BladeScan(places, dark, both - dark, np.maximum(dark, 10) / 0.1, np.maximum(dark + both, 10) / 0.1)


def scan(*blades: BladeScan, i0: float = 1e6, steering: tuple[float, ...] = (3.0, -4.0)) -> KnifeScan:
    return KnifeScan(blades, steering, ("x", "y"), np.full(4, i0), 2e4)


@pytest.mark.parametrize("repeats", [40, pytest.param(1000, marks=pytest.mark.long)])
def test_edges_have_right_errors(repeats: int) -> None:
    """Position and width of a beam whose counts have their own noise and 0.1 % on top."""
    rng, pulls = np.random.default_rng(repeats), []
    for _ in range(repeats):
        light = behind(12.0, 50.0, 4e4) + 10.0
        counts = rng.poisson(light) * (1 + 1e-3 * rng.standard_normal(light.size))
        found = fit_edge(PLACES, counts, np.maximum(counts, 1.0))
        assert found.is_seen
        pulls += [(found.centre - 12.0) / found.stddev[0], (found.width - 50.0) / found.stddev[1]]
    check_pulls(pulls)


def test_a_narrow_edge_anywhere_between_two_coarse_positions_is_found() -> None:
    """Close positions lie where the coarse ones had seemed to show it."""
    rng = np.random.default_rng(4)
    for centre in rng.uniform(-200, 200, 30):
        places = np.append(np.linspace(-270.0, 270.0, 19), centre + rng.uniform(-8, 8) + np.linspace(-16.0, 16.0, 11))
        light = rng.poisson(0.1 * (behind(centre, 5.0, 4e5, places) + 100.0)) / 0.1
        found = fit_edge(places, light, np.maximum(light, 10.0) / 0.1)
        assert found.is_seen and abs(found.centre - centre) < 5 * found.stddev[0] < 1.0, centre


def test_both_beams_and_how_the_laser_is_steered_onto_the_xrays() -> None:
    rng = np.random.default_rng(1)
    found = find_knife(scan(blade(rng), blade(rng, off=-30.0)))
    assert found.verdict == "good", found.reason
    assert found.settings == pytest.approx({"x": 3.0 - 12.0, "y": -4.0 + 30.0}, abs=1.0)
    for name, value in {"xrays_width_along_um": 5.0, "laser_width_across_um": 50.0, "laser_along_um": 12.0}.items():
        was, stddev = found.numbers[name]
        assert abs(was - value) < 4.5 * stddev < 2.0, name
    assert found.stddev > PARALLAX and found.value == found.settings["x"]
    unsteered = find_knife(scan(blade(rng), blade(rng), steering=()))
    assert unsteered.settings == {} and unsteered.value == pytest.approx(12.0, abs=1.0)


@pytest.mark.parametrize(
    ("named", "changes", "i0"),
    [("Dead laser", {"laser": 0.0}, 1e6), ("No light behind", {"xrays": 0.0}, 1e6), ("No beam", {}, 1e3)],
)
def test_what_is_missing_at_a_knife_is_named(named: str, changes: dict[str, float], i0: float) -> None:
    rng = np.random.default_rng(2)
    found = find_knife(scan(blade(rng, **changes), blade(rng, **changes), i0=i0))
    assert found.verdict == "bad" and found.reason.startswith(named), found.reason


def focus_scan(rng: np.random.Generator, focus: float, laser: float = 4e5) -> FocusScan:
    """A Gaussian beam of 45 um that grows by sqrt(2) in 14 mm, behind a blade at seven positions of the lens."""
    lens, places, light = [], [], []
    for z in np.linspace(-15.0, 15.0, 7):
        width = 45.0 * np.sqrt(1 + ((z - focus) / 14.0) ** 2)
        own = 12.0 + width * np.linspace(-1.3, 1.3, 11)
        lens, places = [*lens, *np.full(11, z)], [*places, *own]
        light += [*behind(12.0, width, laser, own)]
    rate = rng.poisson(0.1 * np.array(light)) / 0.1
    variance = np.maximum(rate, 10.0) / 0.1
    own_blade = BladeScan(np.array(places), rate, rate, variance, variance)
    return FocusScan(np.array(lens), own_blade, 0.0)


@pytest.mark.parametrize("repeats", [12, pytest.param(400, marks=pytest.mark.long)])
def test_the_focus_has_right_errors(repeats: int) -> None:
    rng, pulls = np.random.default_rng(repeats), []
    for _ in range(repeats):
        focus = float(rng.uniform(-8, 8))
        found = find_focus(focus_scan(rng, focus))
        assert found.verdict == "good", found.reason
        pulls.append((found.value - focus) / found.stddev)
        assert found.numbers["width_in_focus_um"][0] == pytest.approx(45.0, abs=1.0)
        assert found.numbers["depth_mm"][0] == pytest.approx(14.0, rel=0.2)
    check_pulls(pulls)


def test_a_focus_out_of_reach_is_not_set_and_a_dead_laser_is_named() -> None:
    rng = np.random.default_rng(3)
    assert find_focus(focus_scan(rng, 60.0)).verdict != "good"
    found = find_focus(focus_scan(rng, 0.0, laser=1.0))
    assert found.verdict == "bad" and found.reason.startswith("Dead laser")
