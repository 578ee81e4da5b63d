"""Position of an edge on a foil."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from beamline.studies.numbers.forward import Experiment
from beamline.studies.numbers.number import Collected, StudyResult
from reduction.spectra.calibrate import calibrate

Array = NDArray[np.float64]

E0 = 13.0352
"""keV; lead L3 (Elam, Ravel and Sieber, Radiat. Phys. Chem. 63, 121, 2002)."""
FARTHEST = 2.5e-3
"""keV; of the monochromator from its calibration."""
SHOULDER = (2.5, 12.0)
"""eV; from the edge to the shoulder above it."""
EVERY = 4
"""Of so many scenarios one has a foil: a calibration takes as long as half an energy scan."""


def absorption(energy: Array, width: float, shoulder: float, at: float) -> Array:
    """An arctan edge at E0 with a shoulder `at` (eV) above it that falls off."""
    x = 1e3 * (energy - E0)
    above = 1 / (1 + np.exp(-(x - at) / 1.5))
    return 0.2 + 0.5 + np.arctan(x / width) / np.pi + shoulder * above * np.exp(-np.maximum(x - at, 0) / 12)


def foil_results(experiment: Experiment) -> Iterator[StudyResult]:
    """The position of an edge on a foil at an energy axis that is off."""
    if experiment.truth.seed % EVERY:
        return
    rng = experiment.rng
    width, shoulder, at = rng.uniform(1.0, 4.0), rng.uniform(-0.1, 0.15), rng.uniform(*SHOULDER)
    off = FARTHEST * rng.uniform(-1, 1)
    noise = float(np.exp(rng.uniform(np.log(3e-4), np.log(1e-2))))
    energy = E0 + np.arange(-0.0125, 0.01251, 0.0005)
    measured = absorption(energy - off, width, shoulder, at) + noise * rng.standard_normal(energy.size)
    fine = E0 + np.linspace(-0.004, 0.004, 8001)
    steepest = fine[np.argmax(np.gradient(absorption(fine, width, shoulder, at), fine))]
    try:
        one = calibrate(energy, measured, np.full(energy.size, noise), E0)
    except ValueError as error:
        yield StudyResult("foil", "", (f"No edge: {error}.",), ())
        return
    found = Collected("foil", "", getattr(one, "notes", ()))
    found.add("foil", 1e3 * (one.position - E0), 1e3 * (steepest + off - E0), 1e3 * one.stddev)
    yield found.result()
