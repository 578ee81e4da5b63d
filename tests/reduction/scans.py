"""Whole photon-counting scans from the forward model, without Channel Access: truth and seeded measurements."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.counting.accumulate import CountingAccumulator, PointRates
from reduction.counting.dwell import Dwell
from reduction.counting.phases import Pattern
from reduction.settings import Settings
from sim_ioc.physics.photons import sample_counts
from sim_ioc.physics.truth import ForwardModel
from sim_ioc.scenario.scenario import parse_scenario

ENERGIES = np.array([13.450, 13.455, 13.460, 13.4675, 13.470, 13.472, 13.4765, 13.485, 13.497, 13.508, 13.540, 13.570])
WHITE_LINE = 5
SETTINGS = Settings(pre_edge=(13.450, 13.460), integral=(13.465, 13.570), reference="paper", i0_noise=1e-3)
SEGMENTS = (1, 0, 0, 1)
MANY = 10**14


@dataclass(frozen=True)
class Measurement:
    """Counts of a scan: hits and gates of shape (E, segments, P), flux of shape (E, segments)."""

    hits: NDArray[np.int64]
    gates: NDArray[np.int64]
    flux: NDArray[np.float64]


def scenario_model(**tables: dict[str, object]) -> ForwardModel:
    """Forward model of the default scenario with some tables changed."""
    return ForwardModel(parse_scenario({"seed": 7, **tables}))


def pattern(model: ForwardModel) -> Pattern:
    return Pattern(model.num_bunches, model.divider, model.laser_phase, model.bunch_rate_hz)


def photons(model: ForwardModel, delay: float = 100.0) -> NDArray[np.float64]:
    """Photons a pulse, shape (E, segments, P)."""
    states = [model.mu(ENERGIES, delay, 8.8, bool(laser)) for laser in SEGMENTS]
    return np.stack(states, axis=1)


def expected(model: ForwardModel, mu: NDArray[np.float64]) -> Measurement:
    """A measurement so long that it has no noise."""
    gates = np.full(mu.shape, MANY, dtype=np.int64)
    flux = np.full(mu.shape[:2], (model.i0_rate() - model.scenario.i0.dark_per_s) / model.bunch_rate_hz)
    return Measurement(np.rint(-np.expm1(-mu) * MANY).astype(np.int64), gates, flux)


def measure(model: ForwardModel, mu: NDArray[np.float64], dwell: float, rng: np.random.Generator) -> Measurement:
    """A measurement of `dwell` seconds a segment with photon statistics and I0 noise."""
    gates = np.full(mu.shape, round(dwell * model.bunch_rate_hz / model.num_phases), dtype=np.int64)
    flux = expected(model, mu).flux * (1 + model.scenario.i0.noise * rng.standard_normal(mu.shape[:2]))
    return Measurement(sample_counts(rng, mu, gates), gates, flux)


def accumulate(model: ForwardModel, data: Measurement, sums: CountingAccumulator | None = None) -> CountingAccumulator:
    """All dwells of a measurement into an accumulator."""
    sums = sums or CountingAccumulator(pattern(model), ENERGIES.size, SETTINGS.i0_noise)
    for point in range(ENERGIES.size):
        for segment, laser in enumerate(SEGMENTS):
            sums.add(
                Dwell(
                    "pass", point, segment, 0, bool(laser), "good", float(data.flux[point, segment]),
                    data.hits[point, segment], data.gates[point, segment], model.laser_phase,
                )
            )  # fmt: skip
    return sums


def rates(model: ForwardModel, data: Measurement) -> PointRates:
    return accumulate(model, data).result()
