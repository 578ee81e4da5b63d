"""Foils of known shapes at many noises: ``python -m tests.reduction.foil_edges [repeats]`` prints errors and coverage.

Edges that rise evenly, broad ones, ones with a white line and ones with a shoulder, each as wide as drawn, at any place
between two points of the scan, with noise of 0.03 to 1 % of the height.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.spectra.calibrate import E0, calibrate

Array = NDArray[np.float64]

EDGE = E0["Pb_L3"]
KINDS = ("step", "broad", "white line", "shoulder")
STEPS = (0.25, 0.5, 1.0, 2.0)
"""eV."""
NOISES = ((3e-4, 1e-3), (1e-3, 3e-3), (3e-3, 1e-2))


@dataclass(frozen=True)
class Scanned:
    """One foil: its kind, step (eV) and noise, and the position found less the true one with its error, eV."""

    kind: str
    step: float
    noise: float
    away: float
    stddev: float


def with_shape(kind: str, x: Array) -> Array:
    """Absorption at x, eV from the middle of the edge."""
    if kind == "step":
        return np.asarray(0.2 + 1 / (1 + np.exp(-x / 1.2)))
    if kind == "broad":
        return np.asarray(0.7 + np.arctan(x / 2.5) / np.pi)
    if kind == "white line":
        return np.asarray(0.8 + np.arctan(x / 1.1) / np.pi + 0.9 / (1 + ((x - 2.0) / 1.6) ** 2))
    shoulder = 0.3 * np.exp(-(((x - 3) / 2.0) ** 2))
    return np.asarray(0.8 + np.arctan(x / 1.3) / np.pi + shoulder + 0.05 * np.sin(x / 3))


def scanned(kind: str, step: float, noise: float, seed: int) -> Scanned:
    """A scan of 25 eV over an edge up to 2 eV off, of a width drawn from 0.8 to 1.6 times that of `with_shape`."""
    rng = np.random.default_rng([seed, KINDS.index(kind), int(100 * step)])
    width, off = rng.uniform(0.8, 1.6), rng.uniform(-2, 2)
    x = np.arange(-12.5, 12.501, step) + step * rng.uniform(-0.5, 0.5)
    fine = np.linspace(-4, 4, 8001)
    steepest = fine[np.argmax(np.gradient(with_shape(kind, fine / width), fine))] + off
    clean = with_shape(kind, (x - off) / width)
    error = noise * float(np.ptp(clean))
    found = calibrate(EDGE + 1e-3 * x, clean + error * rng.standard_normal(x.size), np.full(x.size, error), EDGE)
    return Scanned(kind, step, noise, 1e3 * (found.position - EDGE) - steepest, 1e3 * found.stddev)


def foils(repeats: int) -> Iterator[Scanned]:
    """Each kind and step so many times, at noises evenly spread over the logarithm."""
    noises = np.geomspace(NOISES[0][0], NOISES[-1][1], repeats + 2)[1:-1]
    for kind in KINDS:
        for step in STEPS:
            yield from (scanned(kind, step, float(noise), seed) for seed, noise in enumerate(noises))


def row(name: str, found: Iterable[Scanned]) -> str:
    """Number, median error, root mean square of the deviations, width and mean of the pulls, coverage."""
    found = list(found)
    away, error = (np.array([getattr(one, key) for one in found]) for key in ("away", "stddev"))
    pull = away / error
    inside = " | ".join(f"{100 * np.mean(np.abs(pull) < sigmas):.0f}" for sigmas in (1, 2))
    root = np.sqrt(np.mean(away**2))
    return (
        f"| {name} | {len(found)} | {root:.3f} | {np.median(error):.3f} | {pull.mean():+.2f} | {pull.std():.2f}"
        f" | {inside} |"
    )


def main(repeats: str = "20") -> None:
    """Print the table of the documentation."""
    found = list(foils(int(repeats)))
    print("| foils | n | rms deviation (eV) | error (eV) | bias | width | 68 % | 95 % |")
    print("| --- " * 8 + "|")
    for kind in KINDS:
        print(row(kind, (one for one in found if one.kind == kind)))
    for step in STEPS:
        print(row(f"steps of {step:g} eV", (one for one in found if one.step == step)))
    for low, high in NOISES:
        name = f"noise of {100 * low:g} to {100 * high:g} %"
        print(row(name, (one for one in found if low <= one.noise <= high)))
    print(row("all", found))


if __name__ == "__main__":
    main(*sys.argv[1:])
