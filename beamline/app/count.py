"""A quick count outside scans: current detector rates. Opens no run and stores nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from bluesky.utils import MsgGenerator
from rich.table import Table

from plans.execution.failures import wait_by_name
from plans.execution.messages import read, trigger
from plans.execution.point import COUNT_MARGIN, set_preset
from plans.protocols import TimedCounter
from reduction.counting.pileup import lower_limit_when_full, photons_per_pulse, upper_limit_without_hits

GROUP = "quick count"


def count(counters: Sequence[TimedCounter], seconds: float, clock_rate: float) -> MsgGenerator[dict[str, Any]]:
    """Count once with all counters at the same time.

    Parameters
    ----------
    counters : sequence of TimedCounter
    seconds : float
        Beamline seconds.
    clock_rate : float
        Beamline seconds per wall second.

    Returns
    -------
    dict
        Data key to value.
    """
    for counter in counters:
        yield from set_preset(counter, seconds)
    statuses = {}
    for counter in counters:
        statuses[counter.name] = yield from trigger(counter, group=GROUP)
    yield from wait_by_name(GROUP, statuses, seconds / clock_rate + COUNT_MARGIN)
    values: dict[str, Any] = {}
    for counter in counters:
        readings = yield from read(counter)
        values |= {key: entry["value"] for key, entry in (readings or {}).items()}
    return values


def count_table(values: Mapping[str, Any], divider: int) -> Table:
    """Table of the results of a count, with errors and units.

    Parameters
    ----------
    values : mapping
        As `count` returns them.
    divider : int
        Crossings from one laser pulse to the next, the number of slots.
    """
    table = Table(box=None, pad_edge=False)
    for header in ("", "value", "error", "unit"):
        table.add_column(header, justify="left" if header in ("", "unit") else "right")
    for row in _rows(values, divider):
        table.add_row(*row)
    return table


def _rows(values: Mapping[str, Any], divider: int) -> Iterator[tuple[str, str, str, str]]:
    if "i0" in values and values["i0_time"] > 0:
        seconds = float(values["i0_time"])
        yield "i0", f"{values['i0'] / seconds:.6g}", f"{np.sqrt(values['i0']) / seconds:.3g}", "counts/s"
    if "fpga_counts" in values:
        yield from _photons(values, divider)
    for key in sorted(key for key in values if f"{key}_stddev" in values):
        yield key, f"{values[key]:.5g}", f"{values[f'{key}_stddev']:.2g}", "V"


def _photons(values: Mapping[str, Any], divider: int) -> Iterator[tuple[str, str, str, str]]:
    """Photons per pulse, over all phases and by slot; slot 0 follows the laser pulse."""
    hits, gates = (np.asarray(values[key], dtype=np.int64) for key in ("fpga_counts", "fpga_gates"))
    slot = (np.arange(hits.size) - int(values["laser_phase"])) % divider
    yield "fpga", *_mean(hits, gates), "photons/pulse"
    for number in range(divider):
        yield f"  slot {number}", *_mean(hits[slot == number], gates[slot == number]), "photons/pulse"


def _mean(hits: np.ndarray, gates: np.ndarray) -> tuple[str, str]:
    """Mean over phases and its error; a limit (84 %) instead where no gate was hit, or in a phase every gate."""
    mu, variance = photons_per_pulse(hits, gates)
    if not hits.any() and gates.any():
        return f"< {upper_limit_without_hits(gates.sum()):.2g}", ""
    full = (hits == gates) & (gates > 0)
    if full.any():
        return f"> {np.where(full, lower_limit_when_full(np.maximum(gates, 1)), mu).mean():.2g}", ""
    return f"{mu.mean():.5f}", f"{np.sqrt(variance.sum()) / mu.size:.5f}"
