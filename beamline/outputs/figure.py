"""Figures of reduced runs. Colours are those of Okabe and Ito, distinguishable with colour blindness."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from beamline.formatting import own_style, printable

COLOURS = ("#000000", "#E69F00", "#0072B2", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")
SIMULATED = "SIM"
LINE = 135
"""Characters per line below a figure."""


@own_style()
def spectrum_figure(
    data: Mapping[str, Any], start: Mapping[str, Any], slot_delays: Sequence[str], expected: Mapping[str, Any] | None
) -> Figure:
    """Static spectra and the transient of each slot, with error bars.

    Parameters
    ----------
    data : mapping
        The data of the `spectrum` event: arrays with axes slots and energies.
    start : mapping
        The reduced run's start document.
    slot_delays : sequence of str
        Probe delay of each slot, formatted.
    expected : mapping, optional
        Noise-free expectation of a simulator with the same keys; drawn as lines.
    """
    slots = len(slot_delays)
    figure = Figure(figsize=(8, 3 + 1.6 * slots), layout="constrained")
    FigureCanvasAgg(figure)
    axes: Sequence[Axes] = figure.subplots(slots + 1, 1, sharex=True, height_ratios=[2.2, *([1] * slots)])
    energy = np.asarray(data["energy"])
    axes[0].errorbar(
        energy, data["static"], data["static_stddev"], color=COLOURS[0], lw=1, label="laser off, all slots"
    )
    axes[0].errorbar(
        energy, np.asarray(data["on"])[0], np.asarray(data["on_stddev"])[0], color=COLOURS[5], fmt=".", ms=3, lw=1,
        label="laser on, slot 0",
    )  # fmt: skip
    axes[0].set_ylabel("absorption /\nedge integral")
    axes[0].legend(loc="lower right", frameon=False)
    for slot in range(slots):
        axis = axes[slot + 1]
        axis.axhline(0, color="0.7", lw=0.8)
        axis.errorbar(
            energy, 100 * np.asarray(data["transient"])[slot], 100 * np.asarray(data["transient_stddev"])[slot],
            fmt=".", ms=3, lw=0.8, color=COLOURS[1 + slot % (len(COLOURS) - 1)],
            label=f"slot {slot}: {slot_delays[slot]}",
        )  # fmt: skip
        if expected is not None:
            axis.plot(energy, 100 * np.asarray(expected["transient"])[slot], color="0.25", lw=0.8, label="truth")
        axis.set_ylabel("on - off / %")
        # above the panel, so that it hides no point
        axis.legend(loc="lower right", bbox_to_anchor=(1, 0.97), ncols=2, frameon=False, fontsize=8, borderaxespad=0)
    axes[-1].set_xlabel("X-ray energy / keV")
    figure.suptitle(title_of(start), fontsize=11, x=0.01, ha="left", parse_math=False)
    mark_simulated(figure, start)
    return figure


def title_of(start: Mapping[str, Any]) -> str:
    """Title: what was measured, number of passes, reduced run."""
    passes = len(start.get("accumulates", ())) + 1
    edge, sample = str(start.get("edge", "")).replace("_", " "), start.get("sample", "")
    summed = f"{passes} pass{'es' if passes > 1 else ''}"
    return f"{printable(edge)}   {printable(sample)}\n{summed}, reduced run {printable(start['uid'])[:8]}"


def write_below(figure: Figure, lines: Sequence[str]) -> None:
    """Write sentences below a figure, and leave room for a mark above it."""
    figure.suptitle(" ", fontsize=7)
    text = "\n".join(textwrap.fill(printable(line), LINE) for line in lines)
    figure.supxlabel(text, fontsize=6, color="0.35", x=0.01, ha="left", parse_math=False)


def mark_simulated(figure: Figure, start: Mapping[str, Any]) -> list[Text]:
    """Write SIM across a figure of simulated data; the texts."""
    if start.get("mode") != "sim":
        return []
    across: dict[str, Any] = {"fontsize": 90, "alpha": 0.10, "rotation": 30, "ha": "center", "va": "center"}
    return [
        figure.text(0.5, 0.5, SIMULATED, color="#D55E00", **across),
        figure.text(0.995, 0.995, "SIMULATED DATA", fontsize=9, color="#D55E00", ha="right", va="top"),
    ]


@own_style()
def save(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG."""
    figure.savefig(path, dpi=130)
    return path
