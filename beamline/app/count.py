"""A quick count outside scans: current detector rates. Opens no run and stores nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from bluesky.utils import MsgGenerator
from rich.table import Table

from beamline.config.devices import Roles
from beamline.station.beamline import Beamline
from plans.execution.failures import wait_by_name
from plans.execution.messages import read, trigger
from plans.execution.point import COUNT_MARGIN, set_preset
from plans.protocols import TimedCounter
from reduction.counting.pileup import lower_limit_when_full, photons_per_pulse, upper_limit_without_hits

GROUP = "quick count"
MOST_SLOTS = 50
"""Slots that a table lists; of slower lasers it has the mean alone."""


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


def conditions(beamline: Beamline) -> list[str]:
    """Laser shutter and ring current, where the beamline has them."""
    shutter, ring = beamline.find("laser_shutter"), beamline.find("ring")
    found = [] if shutter is None else [f"laser shutter {'open' if shutter.position else 'shut'}"]
    return [*found, *([] if ring is None else [f"ring {ring.current.get():.4g} mA"])]


def count_table(values: Mapping[str, Any], roles: Roles, divider: int) -> Table:
    """Table of the results of a count, with errors and units.

    Parameters
    ----------
    values : mapping
        As `count` returns them.
    roles : Roles
        Which devices have counted.
    divider : int
        Crossings from one laser pulse to the next, the number of slots.
    """
    table = Table(box=None, pad_edge=False)
    for header in ("", "value", "error", "unit"):
        table.add_column(header, justify="left" if header in ("", "unit") else "right")
    for row in _rows(values, roles, divider):
        table.add_row(*row)
    return table


def _rows(values: Mapping[str, Any], roles: Roles, divider: int) -> Iterator[tuple[str, str, str, str]]:
    """Rows of I0, of each photon counter, and of what else has an error."""
    if "i0" in values and values["i0_time"] > 0:
        seconds, counts = float(values["i0_time"]), values["i0"]
        yield roles.i0 or "i0", f"{counts / seconds:.6g}", f"{np.sqrt(counts) / seconds:.3g}", "counts/s"
    for name in roles.counters:
        if {f"{name}_counts", f"{name}_gates"} <= values.keys():
            yield from _photons(name, values, divider)
    for key in sorted(key for key in values if f"{key}_stddev" in values):
        yield key, f"{values[key]:.5g}", f"{values[f'{key}_stddev']:.2g}", "V"


def _photons(name: str, values: Mapping[str, Any], divider: int) -> Iterator[tuple[str, str, str, str]]:
    """Photons per pulse of a counter, over all phases and by slot; slot 0 follows the laser pulse."""
    hits, gates = (np.asarray(values[f"{name}_{key}"], dtype=np.int64) for key in ("counts", "gates"))
    slot = (np.arange(hits.size) - int(values.get("laser_phase", 0))) % divider
    yield name, *_mean(hits, gates), "photons/pulse"
    for number in range(divider) if divider <= MOST_SLOTS else ():
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
