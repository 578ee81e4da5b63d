"""Exclusions: what is left out counts as never measured, and comes back to the bit."""

from __future__ import annotations

import numpy as np
import pytest

from reduction.counting.accumulate import CountingAccumulator
from reduction.counting.dwell import Dwell
from reduction.counting.phases import Pattern
from reduction.diagnostics.exclusions import Entry, Exclusions, reason_of

SCANS = ("aaa", "bbb", "ccc")
GATES = 50_000


def sums(scans=SCANS, points=3, without=()):
    """Counts of passes with two dwells in each laser state a point; `without` are those never taken."""
    found = CountingAccumulator(Pattern(24, 5, 0, 6.5e6), points, 1e-3)
    for scan in scans:
        for point in range(points):
            rng = np.random.default_rng([SCANS.index(scan), point])
            for segment, laser in enumerate((1, 0, 0, 1)):
                hits = rng.binomial(GATES, 0.1, 120)
                if (scan, point) not in without:
                    full = np.full(120, GATES)
                    found.add(Dwell(scan, point, segment, 0, bool(laser), "good", 0.15, hits, full, 0))
    return found


def apply(exclusions, whole):
    return whole.result(exclusions.mask(whole.pass_uids, whole.row_pass, whole.num_points))


def assert_same(one, other):
    for name in ("rate", "covariance", "dwells", "bunches_out"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_what_is_out_is_as_if_it_had_not_been():
    exclusions = Exclusions()
    exclusions.leave_out("bbb", note="the jet broke")
    assert_same(apply(exclusions, sums()), sums(("aaa", "ccc")).result())
    exclusions.leave_out("ccc", 1)
    assert_same(apply(exclusions, sums()), sums(("aaa", "ccc"), without=[("ccc", 1)]).result())


def test_taking_back_restores_every_bit():
    whole = sums()
    before = whole.result()
    exclusions = Exclusions()
    exclusions.leave_out("aaa", 1, "outlier", "a bubble")
    exclusions.leave_out("ccc")
    changed = apply(exclusions, whole)
    assert (changed.dwells[:, 1] == 2).all() and (changed.dwells[:, 2] == 4).all()
    exclusions.take_back("ccc")
    assert (apply(exclusions, whole).dwells[:, 1] == 4).all()
    exclusions.take_back("aaa", 1)
    assert_same(apply(exclusions, whole), before)


def test_decisions_about_other_passes_do_not_matter_here():
    whole = sums()
    assert_same(apply(Exclusions([Entry("elsewhere", -1, "by hand")]), whole), whole.result())


def test_it_goes_through_plain_values():
    exclusions = Exclusions([Entry("aaa", 4, "outlier", "a bubble"), Entry("bbb", -1, "I0")])
    assert Exclusions.from_list(exclusions.to_list()).decisions == exclusions.decisions


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("no flux", "I0"), ("flux not a number", "I0"), ("i0 below its limit", "I0"), ("laser unlocked", "lock"),
        ("gate saturated", "saturation"), ("hits above gates", "quality"),
        ("fpga_gate_clock has changed (7idd:FPGA1:GateDly-1_CLOCK)", "quality"),
        ("laser_locked has changed (7idd:Laser:Locked_RBV)", "lock"),
    ],
)  # fmt: skip
def test_faults_have_their_reason(fault, reason):
    assert reason_of(fault) == reason
    exclusions = Exclusions()
    exclusions.observe("aaa", 3, fault)
    exclusions.observe("aaa", 3, fault)
    assert exclusions.seen == {Entry("aaa", 3, reason, fault): 2} and not exclusions.decisions


def test_mistakes_are_named():
    exclusions = Exclusions()
    with pytest.raises(ValueError, match="is not left out"):
        exclusions.take_back("aaa", 3)
    with pytest.raises(ValueError, match="reason must be one of"):
        exclusions.leave_out("aaa", 3, "bad mood")
    with pytest.raises(ValueError, match="index on the grid"):
        exclusions.leave_out("aaa", -2)
    exclusions.leave_out("aaa", 999)
    with pytest.raises(ValueError, match="outside the grid"):
        apply(exclusions, sums())
