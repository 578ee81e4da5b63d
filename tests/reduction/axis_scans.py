"""Delay and fluence scans from the forward model at one energy, whole at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reduction.counting.rows import PointRates, point_rates, rows_of_counts
from reduction.settings import Settings
from sim_ioc.physics.photons import sample_counts
from sim_ioc.physics.truth import ForwardModel
from tests.reduction.scans import MANY

WHITE_LINE = 13.472
DELAYS = np.array([-400.0, -300, -250, -200, -60, 0, 50, 100, 200, 400, 800, 1600, 5000, 20_000, 60_000, 130_000])
FLUENCES = np.array([0.5, 1.0, 2.0, 3.5, 5.0, 6.5, 8.0, 9.5, 11.0, 12.4])
SETTINGS = Settings(pre_edge=(13.450, 13.460), integral=(13.465, 13.570), reference="shutter", i0_noise=1e-3)
PATTERN = (1, 0, 0, 1)


def photons(model: ForwardModel, delays: NDArray, fluences: NDArray) -> NDArray[np.float64]:
    """Photons a pulse, shape (N, 2, P): laser off and on."""
    points = np.broadcast(delays, fluences)
    return np.stack([[model.mu(WHITE_LINE, d, f, on) for on in (False, True)] for d, f in points])


def measured(
    model: ForwardModel,
    mu: NDArray,
    passes: int,
    dwell: float,
    rng: np.random.Generator | None = None,
    thickness: NDArray | float = 1.0,
    efficiency: NDArray | None = None,
) -> PointRates:
    """Rates of a scan; without a generator, of one without noise. `thickness` broadcasts against (N, R)."""
    laser = np.tile(PATTERN, passes)
    light = mu[:, laser] * np.broadcast_to(thickness, (len(mu), laser.size))[:, :, None]
    if efficiency is not None:
        light = light * efficiency[model.slot_of_phase]
    flux = np.full(light.shape[:2], (model.i0_rate() - model.scenario.i0.dark_per_s) / model.bunch_rate_hz)
    if rng is None:
        gates = np.full(light.shape, MANY)
        hits = np.rint(-np.expm1(-light) * MANY).astype(np.int64)
    else:
        gates = np.full(light.shape, round(dwell * model.bunch_rate_hz / model.num_phases))
        hits = sample_counts(rng, light, gates)
        flux = flux * (1 + model.scenario.i0.noise * rng.standard_normal(flux.shape))
    scan = np.repeat(np.arange(passes), len(PATTERN))
    rows = rows_of_counts(hits, gates, flux, laser == 1, scan, model.slot_of_phase)
    return point_rates(rows, SETTINGS.i0_noise, np.zeros(model.num_bunches, np.int64))
