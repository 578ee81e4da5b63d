"""Columns by channel, orbit and bunch, ``c1o8b0``, as time-resolved stations of the APS write them.

A column holds the hits a gate of one channel for one bunch in one orbit after the trigger, or the hits themselves.
Where the opened gates of a row are known, hits are whole numbers again, and keep their counting errors.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beamline.records.importing.choices import SECONDS, Choices, column, first_label
from beamline.records.importing.errors import ImportRefusedError
from beamline.records.importing.table import Array, Table
from reduction.counting.phases import Pattern
from reduction.imported.pump import find_pump

LABEL = re.compile(r"c(\d+)o(\d+)b(\d+)", re.IGNORECASE)
PUMP = re.compile(r"o(\d+)b(\d+)", re.IGNORECASE)
GATES = (r"(opened_?)?gates", r"triggers")
TURN = 1296 / 352.055282
"""Duration of an orbit of the APS, us: 1296 buckets at 352.055282 MHz, its radio frequency since 2024."""
ROUNDING = 0.1
"""Hits by which a number of hits may miss a whole one: files round fractions to six digits."""


def are_phases(table: Table) -> bool:
    return sum(1 for label in table.columns if LABEL.fullmatch(label)) > 1


def of_phases(table: Table, choices: Choices) -> dict[str, Any]:
    """Hits or rates by detector and phase, monitor and pattern.

    Raises
    ------
    ImportRefusedError
        If channels differ in their orbits or bunches, a cell is missing, or the pump cannot be found.
    """
    channels, orbits, bunches = _layout(table)
    arrays = {channel: _phases(table, channel, orbits, bunches) for channel in channels}
    monitor = _monitor(channels, choices)
    detectors = [channel for channel in channels if channel != monitor]
    signal = np.stack([arrays[channel] for channel in detectors], axis=1)
    gates, remarks = _gates(table, choices, signal)
    data: dict[str, NDArray[Any]] = {}
    if gates is not None:
        data |= {"hits": _hits(table, signal, gates), "gates": gates}
        if monitor is not None:
            data["monitor_hits"] = _hits(table, arrays[monitor], gates)
    else:
        data["rates"] = signal / arrays[monitor][:, None] if monitor is not None else signal
    if monitor is None and choices.monitor not in ("", "none"):
        data["i0"] = column(table, choices.monitor, "the monitor")
    if seconds := first_label(table.columns, SECONDS):
        data["seconds"] = table.columns[seconds]
    first, said = _pump(signal if monitor is None else signal / arrays[monitor][:, None], orbits, bunches, choices)
    turn = choices.turn or TURN
    pattern = Pattern(bunches, orbits * bunches, first, bunches / turn * 1e6)
    what = f"channels {', '.join(f'c{each}' for each in detectors)}" + (
        f" over c{monitor}" if monitor is not None else ""
    )
    if not choices.turn:
        remarks += (f"An orbit counts as {turn:.4f} us, that of the APS (--turn).",)
    return {"kind": "counts" if gates is not None else "rates", "data": data, "pattern": pattern, "what": what,
            "errors": "counting" if gates is not None else "scatter", "remarks": (*remarks, *said)}  # fmt: skip


def _layout(table: Table) -> tuple[list[int], int, int]:
    """Channels, number of orbits, number of bunches."""
    found = [tuple(map(int, match.groups())) for label in table.columns if (match := LABEL.fullmatch(label))]
    channels = sorted({channel for channel, _, _ in found})
    orbits, bunches = (1 + max(each[place] for each in found) for place in (1, 2))
    if len(found) != len(channels) * orbits * bunches:
        raise ImportRefusedError(
            f"its {len(found)} columns by channel, orbit and bunch are not {len(channels)} channels times {orbits}"
            f" orbits times {bunches} bunches: one is missing"
        )
    return channels, orbits, bunches


def _phases(table: Table, channel: int, orbits: int, bunches: int) -> Array:
    labels = [f"c{channel}o{orbit}b{bunch}" for orbit in range(orbits) for bunch in range(bunches)]
    return np.stack([column(table, label, "a phase") for label in labels], axis=1)


def _monitor(channels: list[int], choices: Choices) -> int | None:
    """Channel of the monitor: the user's, else the lowest of several."""
    if (found := re.fullmatch(r"c(\d+)", choices.monitor)) is not None:
        if int(found[1]) not in channels or len(channels) < 2:
            raise ImportRefusedError(
                f"--monitor {choices.monitor}: channels are {', '.join(f'c{c}' for c in channels)}"
            )
        return int(found[1])
    return channels[0] if not choices.monitor and len(channels) > 1 else None


def _gates(table: Table, choices: Choices, values: Array) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    """Opened gates of each row; None if nobody knows them, with a remark."""
    label = choices.gates or first_label(table.columns, GATES)
    if not label:
        whole = (values == np.rint(values)).all() and (values > 1).any()
        missing = "hits, but not the opened gates" if whole else "fractions, but not the opened gates"
        said = f"The columns hold {missing}: no pile-up correction, and errors from scatter (--gates)."
        return None, (said,)
    if label == "0":
        return None, ("The columns are taken as they are: no pile-up correction, and errors from scatter.",)
    if label.isdecimal():
        return np.full(len(table.lines), int(label), dtype=np.int64), ()
    gates = column(table, label, "the gates")
    if wrong := np.flatnonzero((gates < 1) | (gates != np.rint(gates))).tolist():
        raise ImportRefusedError(f"{table.named_line(wrong[0])}: {label} is {gates[wrong[0]]:g}, no number of gates")
    return gates.astype(np.int64), ()


def _hits(table: Table, values: Array, gates: NDArray[np.int64]) -> NDArray[np.int64]:
    """Whole hits of columns that hold them, or that hold hits a gate."""
    by_row = gates.reshape(-1, *[1] * (values.ndim - 1))
    normalised = bool((values <= 1).all())
    hits = values * by_row if normalised else values
    whole = np.rint(hits)
    off = (np.abs(hits - whole) > (ROUNDING if normalised else 0)) | (whole < 0) | (whole > by_row)
    if off.any():
        row = int(np.flatnonzero(off.reshape(len(off), -1).any(axis=1))[0])
        raise ImportRefusedError(
            f"{table.named_line(row)}: a phase has {hits[row][off[row]].flat[0]:.6g} hits in {gates[row]} gates,"
            " no whole number up to them; is the column normalised by something else (--gates 0 takes it as it is)?"
        )
    return whole.astype(np.int64)


def _pump(rates: Array, orbits: int, bunches: int, choices: Choices) -> tuple[int, tuple[str, ...]]:
    """Phase of the first bunch after the pump."""
    if choices.pump:
        found = PUMP.fullmatch(choices.pump)
        if found is None or int(found[1]) >= orbits or int(found[2]) >= bunches:
            raise ImportRefusedError(
                f"--pump {choices.pump}: give orbit and bunch, o0b0 to o{orbits - 1}b{bunches - 1}"
            )
        return int(found[1]) * bunches + int(found[2]), ()
    first = find_pump(rates, bunches)
    if first is None:
        raise ImportRefusedError("no phase stands out as the first after the pump: name it (--pump o8b0)")
    return first, (f"The pump was found before o{first // bunches}b{first % bunches} (--pump).",)
