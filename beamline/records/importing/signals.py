"""Signals of tables without bunches: absorption from intensities, or laser on and off."""

from __future__ import annotations

from typing import Any

import numpy as np

from beamline.records.importing.choices import (
    CHANNEL_LINE,
    FLUORESCENCE,
    I0,
    MU,
    OFF,
    ON,
    SECONDS,
    SUMMED_LINE,
    TRANSMITTED,
    Choices,
    column,
    errors_of,
    first_label,
    listed,
)
from beamline.records.importing.errors import ImportRefusedError
from beamline.records.importing.table import Array, Table
from reduction.documents.raw import ENERGY_AXIS
from reduction.imported.scatter import edge_height

CLEAR = 0.5
"""Height of an edge, over that of the clearest one, from which on an earlier candidate is taken."""
MODES = ("transmission", "fluorescence", "absorption")


def of_columns(table: Table, label: str, axis: str, x: Array, choices: Choices) -> dict[str, Any]:
    """Signal of a table: laser on and off where it has both, else an absorption.

    Raises
    ------
    ImportRefusedError
        If no column is recognised; the message lists those that there are.
    """
    on, off = (first_label(table.columns, patterns) for patterns in (ON, OFF))
    if on and off and not choices.signal:
        return _pair(table, on, off)
    if axis != ENERGY_AXIS and not choices.signal:
        raise ImportRefusedError(
            f"no columns of laser on and off are recognised among {listed(table)}; name one (--signal)"
        )
    if choices.signal:
        return _static(table, choices.signal, _mode(choices), choices)
    candidates = [(name, mode) for name, mode in _candidates(table) if name != label]
    if not candidates:
        raise ImportRefusedError(
            f"no absorption is recognised among {listed(table)}: name the columns (--signal, --i0, and --mode"
            " transmission or fluorescence)"
        )
    return _clearest(table, x, candidates, choices)


def _clearest(table: Table, x: Array, candidates: list[tuple[str, str]], choices: Choices) -> dict[str, Any]:
    """The first candidate whose edge is about as clear as the clearest; a remark names the others."""
    found, unfit = [], []
    for name, mode in candidates:
        try:
            found.append(_static(table, name, mode, choices))
        except ImportRefusedError as error:
            unfit.append(error)
    if not found:
        raise unfit[0]
    heights = [edge_height(x, each["data"]["static"]) for each in found]
    best = next(each for each, height in zip(found, heights, strict=True) if height >= CLEAR * max(heights))
    if others := [each["what"] for each in found if each is not best]:
        best["remarks"] += (f"The signal is {best['what']}, not {' or '.join(others)} (--signal).",)
    return best


def _mode(choices: Choices) -> str:
    if choices.mode and choices.mode not in MODES:
        raise ImportRefusedError(f"--mode is {', '.join(MODES)}, not {choices.mode!r}")
    by_label = {"transmission": TRANSMITTED, "fluorescence": FLUORESCENCE, "absorption": MU}
    guess = next((mode for mode, patterns in by_label.items() if first_label([choices.signal], patterns)), "absorption")
    return choices.mode or guess


def _candidates(table: Table) -> list[tuple[str, str]]:
    """Labels that hold a signal, with their modes."""
    found = [(first_label(table.columns, (pattern,)), "absorption") for pattern in MU]
    if first_label(table.columns, I0):
        found += [(first_label(table.columns, TRANSMITTED), "transmission")]
    found += [(first_label(table.columns, (pattern,)), "fluorescence") for pattern in FLUORESCENCE]
    summed = [label for label in table.columns if SUMMED_LINE.fullmatch(label)]
    found += [(label, "fluorescence") for label in (*summed, *_lines(table))]
    return [each for each in dict.fromkeys(found) if each[0]]


def _lines(table: Table) -> list[str]:
    """Emission lines that several channels of a detector counted, by their common label."""
    return list(dict.fromkeys(match[1] + "mca" for label in table.columns if (match := CHANNEL_LINE.match(label))))


def _intensity(table: Table, label: str) -> Array:
    """A column, or the sum of the channels of an emission line, each times its dead-time factor where there is one."""
    channels = [each for each in table.columns if (match := CHANNEL_LINE.match(each)) and match[1] + "mca" == label]
    if not channels or label in table.columns:
        return column(table, label, "the signal")
    total = np.zeros(len(table.lines))
    for each in channels:
        factor = first_label(table.columns, (f"dtfactor_mca{each.rsplit('mca', 1)[1]}",))
        total += column(table, each, "the signal") * (column(table, factor, "the dead time") if factor else 1.0)
    return total


def _static(table: Table, label: str, mode: str, choices: Choices) -> dict[str, Any]:
    """An absorption with its formula and errors."""
    values = _intensity(table, label)
    i0_label = choices.i0 or first_label(table.columns, I0)
    seconds = first_label(table.columns, SECONDS)
    remarks: tuple[str, ...] = ()
    if mode == "absorption":
        signal, what = values, label
    elif i0_label and i0_label != "none":
        i0, values, remarks = _upright(table, i0_label, label, values)
        signal, what = (values / _positive(table, i0_label, i0), f"{label} / {i0_label}")
        if mode == "transmission":
            signal, what = np.log(i0 / _positive(table, label, values)), f"ln({i0_label} / {label})"
    elif mode == "transmission":
        raise ImportRefusedError("transmission needs the incoming intensity: name its column (--i0)")
    elif seconds:
        signal, what = values / _positive(table, seconds, column(table, seconds, "the dwell")), f"{label} / {seconds}"
    else:
        signal, what = values, label
    errors, stddev = _errors(table, label, values, signal, mode, choices)
    data = {"static": signal, "static_stddev": stddev}
    if seconds:
        data["seconds"] = table.columns[seconds]
    return {"kind": "static", "data": data, "errors": errors, "what": what, "remarks": remarks}


def _upright(table: Table, i0_label: str, label: str, values: Array) -> tuple[Array, Array, tuple[str, ...]]:
    """Incoming and measured intensity; currents of chambers that are both below zero, without their sign."""
    i0 = column(table, i0_label, "the incoming intensity")
    if not ((i0 < 0).all() and (values < 0).all()):
        return i0, values, ()
    return -i0, -values, (f"{i0_label} and {label} are below zero throughout: their sign was changed.",)


def _positive(table: Table, label: str, values: Array) -> Array:
    if wrong := np.flatnonzero(values <= 0).tolist():
        raise ImportRefusedError(
            f"{table.named_line(wrong[0])}: {label} is {values[wrong[0]]:g}, not above zero: mend the line, or take"
            " another column (--i0, --signal)"
        )
    return values


def _errors(table: Table, label: str, values: Array, signal: Array, mode: str, choices: Choices) -> tuple[str, Array]:
    """Where the errors come from, and the errors; NaN where the scatter of the whole scan will give them."""
    if given := errors_of(table.columns, label):
        return "given", np.abs(column(table, given, "the error"))
    if choices.counts:
        if (values < 0).any() or (values != np.rint(values)).any():
            raise ImportRefusedError(f"--counts: {label} holds values that are no counts")
        relative = 1 / np.sqrt(np.maximum(values, 1.0))
        return "counting", relative if mode == "transmission" else np.abs(signal) * relative
    return "scatter", np.full(signal.size, np.nan)


def _pair(table: Table, on: str, off: str) -> dict[str, Any]:
    """Laser on and off, with their errors if the table has both."""
    data = {"on": column(table, on, "laser on"), "off": column(table, off, "laser off")}
    given = [errors_of(table.columns, label) for label in (on, off)]
    for key, label in zip(("on", "off"), given, strict=True):
        unknown = np.full(data[key].size, np.nan)
        data[f"{key}_stddev"] = np.abs(column(table, label, "the error")) if all(given) else unknown
    shaped = {key: values[:, None] for key, values in data.items()}
    what = f"{on} - {off}"
    return {"kind": "pair", "data": shaped, "errors": "given" if all(given) else "scatter", "what": what, "remarks": ()}
