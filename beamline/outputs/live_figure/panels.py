"""The panels of the scan page."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Text

from beamline.formatting import format_delay
from beamline.outputs.figure import COLOURS
from beamline.outputs.live_figure.artists import AutoLimits, ErrorBars, set_text
from beamline.outputs.live_figure.detectors import DetectorLines
from beamline.outputs.live_figure.layers import STILL
from beamline.outputs.live_figure.scan import LiveScan
from beamline.outputs.live_figure.shown import pass_under_way, rates
from beamline.outputs.live_figure.texts import messages
from reduction.counting.kernels import OFF, ON

FAINT = 0.3
HEAD = 0.3
"""Fraction of the range of a transient left free for the name of the slot."""
ON_COLOUR, OFF_COLOUR, BEFORE = COLOURS[5], COLOURS[0], "0.7"


def legend_above(axes: Axes) -> None:
    """Place a legend above the right end of a panel, where it hides no data."""
    axes.legend(loc="lower right", bbox_to_anchor=(1.01, 0.97), ncols=2, frameon=False, fontsize=9.5, handlelength=1.2,
                handletextpad=0.4, columnspacing=1.2).set_zorder(STILL)  # fmt: skip


def shown_slots(number: int, most: int) -> list[int]:
    """Slots that have a panel: all, or of many the first, the last, and others evenly spread between them."""
    return [round(slot) for slot in np.linspace(0, number - 1, min(number, most))]


class SpectraPanel:
    """Static spectra and the transient of each of the slots that are shown."""

    def __init__(self, static: Axes, rows: list[Axes], slots: list[int]) -> None:
        self._static, self._rows, self._slots = static, rows, slots
        static.grid(alpha=0.25)
        static.tick_params(labelbottom=False)
        self._complete = {
            OFF: ErrorBars(static, OFF_COLOUR, joined=True, size=3, label="laser off, slot 0"),
            ON: ErrorBars(static, ON_COLOUR, size=3, label="laser on, slot 0"),
        }
        self._now = {OFF: ErrorBars(static, OFF_COLOUR, hollow=True), ON: ErrorBars(static, ON_COLOUR, hollow=True)}
        legend_above(static)
        self._limits = [AutoLimits([static])]
        self._transient: list[ErrorBars] = []
        self._transient_now: list[ErrorBars] = []
        self._names: list[Text] = []
        for slot, axes in enumerate(rows):
            colour = COLOURS[1 + slot % (len(COLOURS) - 1)]
            axes.axhline(0, color="0.5", lw=0.9, zorder=1)
            axes.grid(alpha=0.25)
            axes.tick_params(labelbottom=slot == len(rows) - 1)
            axes.locator_params(axis="y", nbins=4)
            box = {"fc": "white", "ec": "none", "alpha": 0.8, "pad": 1.5}
            self._names.append(
                axes.text(0.985, 0.94, "", transform=axes.transAxes, va="top", ha="right", fontsize=12, weight="bold",
                          bbox=box, zorder=STILL)
            )  # fmt: skip
            self._transient.append(ErrorBars(axes, colour, size=3.5))
            self._transient_now.append(ErrorBars(axes, colour, size=3.5, hollow=True))
        rows[-1].set_xlabel("X-ray energy / keV", fontsize=11)
        # The first slot has its own scale; later ones share one, so that their decay is visible.
        self._limits += [AutoLimits(axes, holds=0.0, head=HEAD) for axes in (rows[:1], rows[1:]) if axes]
        self._static_label = static.set_ylabel("", fontsize=10)
        self._label = rows[len(rows) // 2].set_ylabel("", fontsize=11)
        for axes in (static, *rows):
            axes.yaxis.set_label_coords(-0.078, 0.5)
        self._each = DetectorLines(rows)

    def release(self) -> None:
        for limits in self._limits:
            limits.release()

    def update(self, scan: LiveScan) -> None:
        self._show_complete(scan)
        self._show_now(scan)
        self._each.update(scan.energy, scan.each, scan.complete, scan.complete or scan.spectrum is None)
        normalised = scan.spectrum is not None
        set_text(self._static_label, "absorption /\nedge integral" if normalised else "rate / highest\nlaser-off rate")
        set_text(self._label, "laser on - off / %" if normalised else "(laser on - off) / off / %")
        for slot, name in zip(self._slots, self._names, strict=True):
            set_text(name, slot_name(scan, slot))
        shown = [self._transient[:1], self._transient[1:]]
        shown_now = [self._transient_now[:1], self._transient_now[1:]]
        artists = [
            [*self._complete.values(), *self._now.values()],
            *(a + b for a, b in zip(shown, shown_now, strict=True)),
        ]
        for limits, members in zip(self._limits, artists, strict=False):
            limits.follow(members)

    def _show_complete(self, scan: LiveScan) -> None:
        data, energy = scan.spectrum, scan.energy
        for laser, key in ((OFF, "off"), (ON, "on")):
            if data is None:
                self._complete[laser].clear()
            else:
                self._complete[laser].set(energy, data[key][0], data[f"{key}_stddev"][0])
            self._complete[laser].fade(1.0 if scan.complete else FAINT)
        for slot, bars in zip(self._slots, self._transient, strict=True):
            if data is None:
                bars.clear()
            else:
                bars.set(energy, 100 * data["transient"][slot], 100 * data["transient_stddev"][slot])
            bars.fade(1.0 if scan.complete else FAINT)

    def _show_now(self, scan: LiveScan) -> None:
        found = pass_under_way(scan)
        if found is None:
            for bars in (*self._now.values(), *self._transient_now):
                bars.clear()
            return
        spectra, transient = found
        for laser in (OFF, ON):
            self._now[laser].set(scan.energy, spectra[laser][0][0], spectra[laser][1][0])
        for slot, bars in zip(self._slots, self._transient_now, strict=True):
            bars.set(scan.energy, 100 * transient[0][slot], 100 * transient[1][slot])


def slot_name(scan: LiveScan, slot: int) -> str:
    """Number and delay of a slot, and whether it is the reference."""
    if not scan.pumped:
        return "no laser"
    name = f"slot {slot}   {format_delay(float(scan.probe_delays[slot]))}"
    alone = scan.complete and scan.spectrum is not None and np.isnan(scan.spectrum["transient"][slot]).all()
    if alone and scan.imported:
        return f"slot {slot}   no laser"
    return f"{name}   (the reference)" if alone else name


class RatesPanel:
    """Photon rate, pile-up, and messages."""

    def __init__(self, rate: Axes, pile_up: Axes, text: Axes, label: str = "X-ray energy / keV") -> None:
        self._rate_axes, self._pile_up_axes = rate, pile_up
        self._rate_before, self._rate = ErrorBars(rate, BEFORE, size=3), ErrorBars(rate, COLOURS[2], size=3.5)
        self._pile_up_before = ErrorBars(pile_up, BEFORE, size=3)
        self._pile_up = ErrorBars(pile_up, COLOURS[4], size=3.5)
        self._saturated = ErrorBars(pile_up, COLOURS[5], size=8, hollow=True)
        rate.set_ylabel("10$^6$ photons / s", fontsize=10)
        pile_up.set_ylabel("hits with 2+ photons / %", fontsize=10)
        for axes in (rate, pile_up):
            axes.grid(alpha=0.25)
            axes.locator_params(axis="x", nbins=5)
        pile_up.set_xlabel(label, fontsize=10)
        self._rate_title = rate.set_title("", fontsize=11.5, loc="left", weight="bold", animated=True)
        self._pile_up_title = pile_up.set_title("", fontsize=11.5, loc="left", weight="bold", animated=True)
        self._limits = [AutoLimits([rate], holds=0.0), AutoLimits([pile_up], holds=0.0)]
        text.axis("off")
        text.set_title("messages", fontsize=11.5, loc="left", weight="bold")
        self._messages = text.text(0, 0.97, "", va="top", fontsize=9.5, family="monospace", transform=text.transAxes)

    def release(self) -> None:
        for limits in self._limits:
            limits.release()

    def update(self, scan: LiveScan) -> None:
        set_text(self._messages, messages(scan))
        found = rates(scan)
        if found is None:
            return
        rate, fraction = found.rate, found.pile_up
        here = scan.in_pass
        for chosen, rate_bars, pile_up_bars in (
            (here, self._rate, self._pile_up), (~here, self._rate_before, self._pile_up_before)
        ):  # fmt: skip
            rate_bars.set(scan.energy, np.where(chosen, rate, np.nan), found.rate_stddev)
            pile_up_bars.set(scan.energy, np.where(chosen, fraction, np.nan), found.pile_up_stddev)
        self._saturated.set(scan.energy, np.where(scan.bad_phases > 0, fraction, np.nan))
        last = np.flatnonzero(here & np.isfinite(found.photons))
        if last.size:
            at = last[-1]
            set_text(self._rate_title, f"{rate[at]:.3g} million photons / s")
            saturated = f", {scan.bad_phases[at]} SATURATED" if scan.bad_phases[at] else ""
            set_text(
                self._pile_up_title, f"{found.photons[at]:.3f} photons / pulse, pile-up {fraction[at]:.1f} %{saturated}"
            )
        self._limits[0].follow([self._rate, self._rate_before])
        self._limits[1].follow([self._pile_up, self._pile_up_before])
