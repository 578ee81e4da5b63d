"""The ledger: what is out is out as if it had never been measured, and comes back to the bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reduction.counting.rows import DwellRows, one_pass, point_rates
from reduction.diagnostics.exclusions import Entry, Exclusions, find_outliers, reason_of, without_pre_edge
from tests.reduction.dwells import ENERGY, Scan, decay

SCANS = ("aaa", "bbb", "ccc")


def rows(seed: int = 1, passes: int = 3) -> DwellRows:
    return Scan(decay(0.4), passes=passes, jet=0.003).rows(np.random.default_rng(seed))


def rates(scan: DwellRows):
    return point_rates(scan, 1e-3, np.zeros(24, np.int64), True)


def test_a_pass_that_is_out_is_as_if_it_had_not_been():
    whole = rates(rows())
    ledger = Exclusions()
    ledger.leave_out("bbb", note="the jet broke")
    left = ledger.apply(SCANS, whole, 1e-3)
    kept = rows()
    mine = kept.scan != 1
    expected = rates(DwellRows(**{**one_pass(kept, 0).__dict__, **{
        name: getattr(kept, name)[:, mine] for name in ("state", "weight", "flux", "slot_mu", "slot_var", "slot_shift")
    }, "scan": kept.scan[mine]}))  # fmt: skip
    np.testing.assert_array_equal(left.rate, expected.rate)
    np.testing.assert_array_equal(left.covariance, expected.covariance)
    assert left.dwells.tolist() == expected.dwells.tolist()


def test_taking_back_restores_every_bit():
    whole = rates(rows())
    ledger = Exclusions()
    ledger.leave_out("aaa", 4, "outlier", "a bubble")
    ledger.leave_out("ccc")
    changed = ledger.apply(SCANS, whole, 1e-3)
    assert (changed.dwells[:, 4] == 2).all() and (changed.dwells[:, 5] == 4).all()
    ledger.take_back("ccc")
    assert (ledger.apply(SCANS, whole, 1e-3).dwells[:, 4] == 4).all()
    ledger.take_back("aaa", 4)
    assert ledger.apply(SCANS, whole, 1e-3) is whole


def test_decisions_about_other_passes_do_not_matter_here():
    whole = rates(rows())
    assert Exclusions([Entry("elsewhere", -1, "by hand")]).apply(SCANS, whole, 1e-3) is whole


def test_it_goes_through_plain_values():
    ledger = Exclusions([Entry("aaa", 4, "outlier", "a bubble"), Entry("bbb", -1, "I0")])
    assert Exclusions.from_list(ledger.to_list()).decisions == ledger.decisions


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
    ledger = Exclusions()
    ledger.observe("aaa", 3, fault)
    ledger.observe("aaa", 3, fault)
    assert ledger.seen == {Entry("aaa", 3, reason, fault): 2} and not ledger.decisions


def test_outliers_are_found_and_nothing_else():
    alarms = 0
    for seed in range(20):
        alarms += len(find_outliers(SCANS, rows(seed)))
    assert alarms <= 1  # 20 x 38 x 12 dwells at 6 standard deviations
    bad = rows(3)
    bad.slot_mu[7, 5] *= 0.9  # row 5: pass 1, laser off
    (entry,) = find_outliers(SCANS, bad)
    assert (entry.scan, entry.point, entry.reason) == ("bbb", 7, "outlier") and "laser off" in entry.note


def test_a_thicker_jet_in_a_whole_pass_is_no_outlier():
    scan = Scan(decay(0.4), passes=3, jet=0.003, thickness=(1.0, 1.2, 0.9)).rows(np.random.default_rng(4))
    assert not find_outliers(SCANS, scan)


def test_passes_without_pre_edge_are_found():
    scan = rows()
    pre = ENERGY <= 13.460
    scan.state[np.ix_(pre, scan.scan == 2)] = -1
    (entry,) = without_pre_edge(SCANS, scan, pre)
    assert (entry.scan, entry.point, entry.reason) == ("ccc", -1, "no pre-edge")


def test_mistakes_are_named():
    ledger = Exclusions()
    with pytest.raises(ValueError, match="was not left out"):
        ledger.take_back("aaa", 3)
    with pytest.raises(ValueError, match="reason must be one of"):
        ledger.leave_out("aaa", 3, "bad mood")
    with pytest.raises(ValueError, match="index on the grid"):
        ledger.leave_out("aaa", -2)
    ledger.leave_out("aaa", 999)
    with pytest.raises(ValueError, match="outside the grid"):
        ledger.apply(SCANS, rates(rows()), 1e-3)
    with pytest.raises(ValueError, match="single dwells"):
        ledger.apply(SCANS, replace(rates(rows()), rows=None), 1e-3)
