"""Choices that plans and reduction spell independently: references, edges, start documents, the good dwell."""

from __future__ import annotations

import numpy as np
import pytest

from plans.compilation.compiled_scan import CompiledScan
from plans.compilation.edges import find_edge, packaged_entries
from plans.compilation.options import REFERENCES
from plans.compilation.quality import GOOD
from plans.scans.background import compiled_background_scan
from plans.scans.delay import compiled_delay_scan
from plans.scans.energy import compiled_energy_scan
from plans.scans.fluence import compiled_fluence_scan
from reduction.counting import dwell as reduced_dwell
from reduction.documents import raw as reading
from reduction.settings import REFERENCES as REDUCED_REFERENCES
from reduction.settings import Settings


@pytest.mark.parametrize(
    ("compiled_scan", "axis"),
    [
        (compiled_energy_scan(), "mono_energy"),
        (compiled_delay_scan(), "laser_delay"),
        (compiled_fluence_scan(), "laser_fluence"),
    ],
    ids=["energy", "delay", "fluence"],
)
def test_the_reduction_takes_the_start_document_of_each_scan(compiled_scan: CompiledScan, axis: str) -> None:
    start = compiled_scan.with_reference("combined").passes[0].start
    assert reading.is_reducible(start)
    run = reading.raw_run({**start, "uid": "5eed"})
    assert (run.axis, run.grid.tolist(), run.segments) == (axis, start["grid"], len(start["pattern"]))
    assert not reading.is_reducible(compiled_background_scan().passes[0].start)


def test_plans_and_reduction_have_the_same_references() -> None:
    assert set(REFERENCES) == set(REDUCED_REFERENCES)


@pytest.mark.parametrize("edge", packaged_entries())
def test_the_reduction_takes_the_settings_of_each_edge(edge: str) -> None:
    found = find_edge(edge)
    settings = Settings.from_mapping({"pre_edge": list(found.pre_edge), "integral": list(found.integral)})
    grid = found.grid()
    for low, high in (settings.pre_edge, settings.integral):
        assert np.count_nonzero((grid >= low) & (grid <= high)) > 1


def test_a_good_dwell_is_called_the_same() -> None:
    assert GOOD == reduced_dwell.GOOD
