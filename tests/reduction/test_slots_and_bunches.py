"""Which bunches the slots of a pattern meet, by counting them out."""

from __future__ import annotations

import pytest

from reduction.counting.phases import Pattern


@pytest.mark.parametrize(
    ("bunches", "divider", "shared"), [(24, 5, True), (24, 4, False), (24, 10, False), (31, 4, True)]
)
def test_each_slot_sees_every_bunch_where_ring_and_laser_have_no_common_divisor(
    bunches: int, divider: int, shared: bool
) -> None:
    met = {crossing % bunches for crossing in range(0, bunches * divider, divider)}  # by slot 0
    assert (len(met) == bunches) is shared
    assert Pattern(bunches, divider, 0, 6.5e6).slots_share_bunches is shared


@pytest.mark.parametrize(
    ("divider", "phase", "accepted"),
    [(5, 3, True), (4, 4, True), (4, -4, True), (4, 2, False), (10, 2, True), (10, 1, False)],
)
def test_a_slip_is_harmless_where_slots_keep_their_bunches(divider: int, phase: int, accepted: bool) -> None:
    """By all crossings of the ring of 24 bunches: the bunches that each slot meets."""

    def met(laser_phase: int) -> list[set[int]]:
        crossings = range(24 * divider)
        return [{n % 24 for n in crossings if (n - laser_phase) % divider == slot} for slot in range(divider)]

    assert (met(phase) == met(0)) is accepted
    assert (Pattern(24, divider, 0, 6.5e6).slip(phase, None) == "") is accepted
