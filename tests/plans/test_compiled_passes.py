"""What the passes of a compiled scan have in common."""

from __future__ import annotations

from typing import Any

import pytest

from plans.compilation.compiled_scan import CompiledScan, DwellSettings, ScanPass


@pytest.mark.parametrize(
    ("stops_early", "targets", "allocates"),
    [
        (True, [["C(slot=0)"]], True),
        (False, [["C(slot=0)"]], False),
        (True, [0.05], False),
        (True, [["t0"], 0.1], False),
    ],
)
def test_time_is_allocated_for_named_quantities_in_a_scan_that_may_end_early(
    stops_early: bool, targets: list[Any], allocates: bool
) -> None:
    passes = tuple(ScanPass((), DwellSettings((1, 0), 1.0, 1, 1.0), {"target": target}) for target in targets)
    assert CompiledScan("set", passes, stops_early).allocates is allocates
