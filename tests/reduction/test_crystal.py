"""The rocking curve from drawn currents: pulls, and what is missing named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reduction.documents.findings import Judges
from reduction.findings.crystal import RockingScan, find_crystal
from tests.reduction.test_findings import check_pulls


def scan_of(rng: np.random.Generator, centre: float, width: float, noise: float = 2e3) -> RockingScan:
    angle = np.tile(np.linspace(-40.0, 40.0, 25), 2)
    rate = 1e3 + 1e6 * np.exp(-4 * np.log(2) * ((angle - centre) / width) ** 2)
    return RockingScan(angle, rate + noise * rng.standard_normal(angle.size), 0.0, 2e4)


@pytest.mark.parametrize("repeats", [40, pytest.param(500, marks=pytest.mark.long)])
def test_the_top_of_a_rocking_curve_has_right_errors(repeats: int) -> None:
    rng, pulls, widths, fluxes = np.random.default_rng(repeats), [], [], []
    for _ in range(repeats):
        centre, width = rng.uniform(-20, 20), rng.uniform(12, 35)
        found = find_crystal(scan_of(rng, centre, width))
        assert found.verdict == "good", found.reason
        assert found.settings["crystal"] == pytest.approx(found.value, abs=1e-3)
        pulls.append((found.value - centre) / found.stddev)
        widths.append((found.numbers["width_urad"][0] - width) / found.numbers["width_urad"][1])
        before = np.exp(-4 * np.log(2) * (centre / width) ** 2)
        fluxes.append((found.numbers["flux_before"][0] - before) / max(found.numbers["flux_before"][1], 1e-12))
    check_pulls(pulls)
    check_pulls(widths)
    check_pulls(fluxes)


def test_a_curve_without_a_top_or_without_beam_is_named() -> None:
    rng = np.random.default_rng(1)
    right = scan_of(rng, 0.0, 20.0)
    for scan, words in (
        (scan_of(rng, 70.0, 40.0), "No top"),
        (replace(right, rate=1e6 + 2e3 * rng.standard_normal(right.angle.size)), "No top"),
        (replace(right, rate=np.full(right.angle.size, 1e3)), "No beam"),
    ):
        found = find_crystal(scan)
        assert found.verdict == "bad" and found.reason.startswith(words), found.reason
        assert not found.settings


def test_a_top_up_within_the_scan_does_not_move_the_top() -> None:
    """0.5 % more ring current from the middle of each pass on moves the top of I0 by ten times its error."""
    scan = scan_of(np.random.default_rng(2), 5.0, 25.0, noise=20.0)
    ring = np.where(np.arange(scan.angle.size) % 25 < 13, 102.0, 102.5)
    rows = [
        {"i0": rate * current / 102.0, "i0_time": 1.0, "angle": angle, "ring_current": current}
        for angle, rate, current in zip(scan.angle, scan.rate, ring, strict=True)
    ]
    found = Judges(ring_current="ring_current").crystal(rows, {"before": 0.0})
    assert abs(found.value - 5.0) < 4 * found.stddev < 2e-3
    assert abs(Judges().crystal(rows, {"before": 0.0}).value - 5.0) > 1e-2
