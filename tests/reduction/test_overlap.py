"""Overlap of laser and X-rays from drawn counts of slots: pulls, at any delay, and causes by name."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest

from reduction.findings.finding import FindingResult
from reduction.findings.overlap import OverlapScan, _Slots, find_overlap
from tests.reduction.test_findings import check_pulls

LEAST = 2e4
SIZE = -0.015
"""Transient in the pumped slot at full overlap, relative."""
WIDTHS = 45.0, 52.0


def places(centre: np.ndarray) -> np.ndarray:
    """A grid, and crosses around a centre that is known roughly."""
    steps = np.linspace(-80.0, 80.0, 5)
    grid = np.array([(a, b) for a in steps for b in steps])
    cross = np.array([(0, 0), (28, 0), (-28, 0), (0, 28), (0, -28), (70, 70)])
    return np.concatenate([grid, *[centre + cross] * 20])


def scan_of(rng: np.random.Generator, centre: np.ndarray, size: float = SIZE, first: int = 0) -> OverlapScan:
    """Two seconds of 24 bunches each; the transient is in the pumped slot and, smaller, in the next one."""
    at = places(centre + rng.normal(0, 5, 2))
    share = np.exp(-4 * np.log(2) * (((at - centre) / WIDTHS) ** 2).sum(axis=1))
    pattern = np.roll([1.0, 0.3, 0.0, 0.0, 0.0], first)
    slots = np.array([1.0, 1.02, 0.99, 1.0, 1.01])
    jet = 1 + 0.01 * rng.standard_normal((len(at), 1))
    gates = int(1.303e6 * 2)
    hits = rng.binomial(gates, 1 - np.exp(-0.15 * jet * slots * (1 + size * share[:, None] * pattern)))
    return OverlapScan(
        at[:, 0], at[:, 1], -np.log1p(-hits / gates), hits / (gates * (gates - hits)), (0.0, 0.0), 50.0,
        ("along", "across"), np.full(len(at), 1e6), LEAST,
    )  # fmt: skip


@pytest.mark.parametrize("repeats", [4, pytest.param(300, marks=pytest.mark.long)])
def test_the_overlap_has_right_errors(repeats: int) -> None:
    rng, pulls, widths, shares = np.random.default_rng(repeats), [], [], []
    for number in range(repeats):
        centre = rng.uniform(-35, 35, 2)
        found = find_overlap(scan_of(rng, centre, first=number % 5))
        assert found.verdict == "good", found.reason
        for name, true in zip(("along", "across"), centre, strict=True):
            assert found.settings[name] == pytest.approx(found.numbers[name][0], abs=0.01)
            pulls.append((found.numbers[name][0] - true) / found.numbers[name][1])
        for name, true in zip(("width_along_um", "width_across_um"), WIDTHS, strict=True):
            widths.append((found.numbers[name][0] - true) / found.numbers[name][1])
        before = np.exp(-4 * np.log(2) * ((centre / WIDTHS) ** 2).sum())
        shares.append((found.numbers["share_before"][0] - before) / found.numbers["share_before"][1])
    check_pulls(pulls)
    check_pulls(shares)
    assert abs(np.mean(widths)) < 4 / sqrt(len(widths)) + 0.3  # the width expected, 50 um, is a part of it


def causes() -> list[tuple[FindingResult, str, str]]:
    rng = np.random.default_rng(3)
    dead, right = scan_of(rng, np.zeros(2), size=0.0), scan_of(rng, np.zeros(2))
    return [
        (find_overlap(dead), "bad", "Dead laser"),
        (find_overlap(replace(right, i0_rate=np.full(right.along.size, 1e3))), "bad", "No beam"),
        (find_overlap(replace(right, photons=np.full_like(right.photons, 1e-7))), "bad", "No sample"),
        (find_overlap(scan_of(rng, np.array([150.0, 0.0]))), "look", "Both spots meet at"),
    ]


def test_an_overlap_that_is_not_found_names_the_cause() -> None:
    for found, verdict, words in causes()[:3]:
        assert found.verdict == verdict and found.reason.startswith(words), found.reason
        assert not found.settings


def test_what_slots_have_in_common_is_weighted_by_their_errors() -> None:
    error = np.array([[1.0, 2.0, 4.0]])
    rest = _Slots(np.zeros((1, 3)), error).without_common(np.array([[1.0, 5.0, 17.0]]))
    assert rest[0] == pytest.approx(np.array([1.0, 5.0, 17.0]) - (16 * 1 + 4 * 5 + 17) / 21)
