"""Figures S5 to S8 of the paper: spectra against the temperature, their alignment, and diffraction."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from beamline.formatting import own_style
from beamline.outputs.comparison.content import common_windows, curve_of
from beamline.outputs.diffraction.files import pattern_figure
from beamline.outputs.export.paper_labels import title_of_edge
from beamline.outputs.figure import COLOURS
from beamline.outputs.paper_figures.collect import EDGES, PaperResults
from beamline.outputs.paper_figures.transients import OF_HEAT, colours_of, draw_heat, leave_empty
from beamline.outputs.thermal.content import Thermal, returns
from reduction.spectra.normalise import normalised_alone
from reduction.thermal.criterion import derivative_area

KEY_TEMPERATURES = (45.0, 65.0, 120.0)
"""degC; three of which Figure S5 shows the differences."""
S6_TEMPERATURE = 45.0
S8_RANGE = (1.3, 2.8)
"""1/angstrom."""
CUBIC = 5.874
"""angstrom; cell of cubic CsPbBr3 (Hirotsu et al., J. Phys. Soc. Jpn. 37, 1393 (1974))."""
REACH = 1.5e-3
"""keV; of the shifts in Figure S6."""


@own_style()
def figure_s5(found: PaperResults) -> Figure:
    """Spectra at the reference temperature, and differences at three temperatures."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    panels: Any = figure.subplots(1, 2)
    for axes, letter, edge in zip(panels, "ab", EDGES, strict=True):
        axes.set_title(f"({letter})  {title_of_edge(edge)}", loc="left")
        if edge in found.thermal:
            draw_heat(axes, found.thermal[edge], KEY_TEMPERATURES)
        else:
            leave_empty(axes)
    panels[0].set_ylabel(OF_HEAT)
    return figure


@own_style()
def figure_s6(found: PaperResults) -> Figure:
    """The alignment of one spectrum of bromine: the criterion of the SI against the shift, and the one used here."""
    thermal = found.thermal["Br_K"]
    number = nearest_heated(thermal, S6_TEMPERATURE)
    shifts = np.linspace(-REACH, REACH, 121)
    settings = common_windows(*thermal.results)
    curves = []
    for each in (number, thermal.series.reference):
        curve = curve_of(thermal.results[each])
        value, _ = normalised_alone(curve.value, np.zeros_like(curve.value), curve.energy, settings)
        curves.append((curve.energy, value))
    criterion = [derivative_area(*curves[0], *curves[1], float(shift)) for shift in shifts]
    figure = Figure(figsize=(6, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.plot(1e3 * shifts, criterion, color=COLOURS[2], lw=1.2, label="area between the derivatives")
    found_shift = thermal.series.shift[number]
    low, high = (1e3 * (found_shift.value + sign * found_shift.stddev) for sign in (-1, 1))
    axes.axvspan(low, high, color=COLOURS[1], alpha=0.4, label=f"shift used: {1e3 * found_shift.value:.3f} eV")
    axes.set_xlabel("energy shift / eV")
    axes.set_ylabel("optimisation parameter")
    axes.set_title(f"{thermal.series.temperature[number]:g} degC against 25 degC, Br K", loc="left")
    axes.legend(frameon=False)
    return figure


def nearest_heated(thermal: Thermal, temperature: float) -> int:
    """Number of the spectrum nearest to a temperature that is not the reference."""
    far = np.abs(thermal.series.temperature - temperature)
    far[thermal.series.reference] = np.inf
    return int(np.argmin(far))


@own_style()
def figure_s7(found: PaperResults) -> Figure:
    """Aligned and normalised spectra of bromine (a) and their derivatives (b)."""
    series = found.thermal["Br_K"].series
    again = returns(series)
    figure = Figure(figsize=(7, 7.5), layout="constrained")
    spectra, slopes = figure.subplots(2, 1, sharex=True)
    for number, (temperature, colour) in enumerate(zip(series.temperature, colours_of(series), strict=True)):
        label = f"{temperature:g} degC{' again' * (number in again)}"
        spectra.plot(series.energy, series.value[number], color=colour, lw=0.9, label=label)
        slopes.plot(series.energy, np.gradient(series.value[number], series.energy), color=colour, lw=0.9)
    spectra.legend(frameon=False, fontsize=7, ncols=2, loc="lower right")
    spectra.set_ylabel("(a) absorption / edge integral")
    slopes.set_ylabel("(b) derivative / (1/keV)")
    slopes.set_xlabel("X-ray energy / keV")
    return figure


def figure_s8(found: PaperResults) -> Figure:
    """Diffraction patterns at all temperatures in the range of the paper, with the indices of the cubic cell.

    As there, a straight background is subtracted, the same from all, and the windows are shown, not subtracted.
    """
    figure = pattern_figure(found.images, found.windows, named_beside=S8_RANGE)
    axes = figure.axes[0]
    for index in ((1, 1, 0), (1, 1, 1), (2, 0, 0), (2, 1, 0), (2, 1, 1)):
        place = 2 * np.pi * np.sqrt(np.square(index).sum()) / CUBIC
        text = f"[{''.join(map(str, index))}]"
        axes.text(place, 0.985, text, transform=axes.get_xaxis_transform(), fontsize=7, ha="center", va="top")
    return figure


@own_style()
def figure_s4(found: PaperResults) -> Figure:
    """Left panel of S4: the computed ground state before and after its broadening, and the measured spectrum."""
    theory = found.theory
    raw = found.ground
    assert theory is not None and raw is not None  # drawn only if they are there
    figure = Figure(figsize=(6, 4.4), layout="constrained")
    axes = figure.subplots()
    zero = theory.placed.shift.value
    energy = 1e3 * (theory.placed.energy - zero)
    axes.plot(energy, theory.placed.static, color=COLOURS[0], lw=1.3, label="measured, laser off")
    axes.plot(energy, theory.ground, color=COLOURS[5], lw=1.2, label="computed, broadened")
    inside = (raw.energy >= energy.min()) & (raw.energy <= energy.max())
    scale = theory.ground.max() / raw.value[inside].max()
    axes.plot(
        raw.energy[inside],
        scale * raw.value[inside],
        color=COLOURS[2],
        lw=0.8,
        label="computed, not broadened (scaled)",
    )
    axes.set_xlabel("energy above the top of the valence band / eV")
    axes.set_ylabel("absorption / edge integral")
    axes.set_title(title_of_edge(theory.theory.edge), loc="left")
    axes.legend(frameon=False, fontsize=8)
    return figure
