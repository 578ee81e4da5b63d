"""A transient that holds a fraction of a computed state, and the amplitude that is found in it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from beamline.outputs.export.result import Result
from beamline.outputs.theory.content import States, beside
from beamline.records.theory.description import Allowed, Broadening, Spectra, Theory
from beamline.studies.numbers.number import Collected
from plans.compilation.edges import find_edge
from reduction.settings import Settings
from reduction.spectra.normalise import normalise
from reduction.theory.average import ComputedSpectrum

Array = NDArray[np.float64]

EDGE = "Br_K"
FRACTION = 0.02
PHOTONS = 3e6
"""Of one edge step at a point, with the laser on and off each."""
BACKGROUND = 0.5
SHARP, LIFETIME = 1.2, 2.4
"""eV; widths of the lines as computed, and what is added to them."""
COARSER = 2
"""Every so many energies of the edge's grid are measured."""
FEW = 100
"""Draws for the p-values, which are not compared."""
ZERO = (13.4655, 13.4675)
"""keV; range of the zero of the computed energies."""
GROUND = ((3.0, 2.0), (5.5, 3.0), (20.0, 4.0), (32.0, 6.0))
MODELS = {
    "distorted": ((3.2, 1.7), (5.6, 2.6), (19.0, 5.0), (33.0, 5.0)),
    "other": ((3.0, 2.3), (5.5, 2.9), (24.0, 5.0), (36.0, 6.0)),
}
"""Lines of the states: energy (eV) and area, above an edge at `STEP`."""
STEP = 4.0


def cross_section(energy: Array, lines: tuple[tuple[float, float], ...], width: float) -> Array:
    """An arctan and Lorentzian lines of one full width (eV): a convolution with a Lorentzian adds to the width."""
    half = 0.5 * width
    total = 0.5 + np.arctan((energy - STEP) / half) / np.pi
    for at, area in lines:
        total = total + area * half / np.pi / ((energy - at) ** 2 + half**2)
    return np.asarray(total)


def computed(lines: tuple[tuple[float, float], ...]) -> ComputedSpectrum:
    """As a program writes it."""
    energy = np.arange(-60.0, 200.0, 0.4)
    return ComputedSpectrum(energy, cross_section(energy, lines, SHARP))


THEORY = Theory(
    edge=EDGE,
    ground=Spectra(files=("ground.dat",)),
    models={name: Spectra(files=(f"{name}.dat",)) for name in MODELS},
    broadening=Broadening(start=LIFETIME, most=LIFETIME),
    allowed=Allowed(shift=0.4, shifts=9, narrowest=0.8, widest=1.25, widths=3),
)


def states() -> States:
    """Of all models."""
    return States(computed(GROUND), {name: computed(lines) for name, lines in MODELS.items()})


def measured(rng: np.random.Generator) -> Result:
    """A spectrum with and without the laser, with the noise of counting."""
    edge = find_edge(EDGE)
    energy = edge.grid()[::COARSER]
    places = 1e3 * (energy - rng.uniform(*ZERO))
    ground, excited = (cross_section(places, lines, SHARP + LIFETIME) for lines in (GROUND, MODELS["distorted"]))
    settings = Settings(pre_edge=edge.pre_edge, integral=edge.integral)
    spectra = []
    for signal in (ground, (1 - FRACTION) * ground + FRACTION * excited):
        photons = PHOTONS * (BACKGROUND + signal)
        counted = photons + np.sqrt(photons) * rng.standard_normal(photons.size)
        spectra.append((counted / PHOTONS, photons / PHOTONS**2))
    off, on = (normalise(*each, energy, settings) for each in spectra)
    rate, variance = (np.stack(parts)[:, None] for parts in zip(*spectra, strict=True))
    data = {
        "energy": energy, "used": np.ones(energy.size, np.bool_), "rate": rate, "rate_covariance": variance[:, None],
        "transient": (on.value - off.value)[None], "transient_covariance": (on.covariance + off.covariance)[None],
    }  # fmt: skip
    start = {"uid": "drawn", "edge": EDGE, "settings": settings.to_mapping(), "pump_delay": 100.0, "mode": "sim"}
    return Result(start, data, None, (start,), ({},), (100.0,), None)


def amplitude(rng: np.random.Generator, found: Collected) -> None:
    """The fraction in the state that is there."""
    fit = next(each for each in beside(measured(rng), THEORY, states(), draws=FEW).fits if each.name == "distorted")
    found.add("theory amplitude", fit.amplitude, FRACTION, fit.stddev)
