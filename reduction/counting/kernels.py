"""The numba kernel that updates one point of a scan, live, after each dwell.

Results are written into arrays that the caller owns. The rows of a point are its dwells (pass x segment).
The tests compare the kernel with a few lines of plain numpy.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reduction.kernel_cache import kernel

OFF, ON, EMPTY = 0, 1, -1
"""States of a row: laser off, laser on, no good dwell (yet)."""

GOOD, SATURATED, NO_GATES = 0, 1, 2
"""Flags of a phase."""


# error_model="numpy": a division by zero gives inf or nan as in numpy, instead of an exception.
@kernel(error_model="numpy")
def estimate_phases(hits, gates, background, pile_up, mu, var, flags):  # type: ignore[no-untyped-def]
    """Write photons a pulse, variance and flag of each phase (see `reduction.counting.pileup`); background removed.

    Without `pile_up` a hit is a photon: mu is the hits per gate, with their binomial variance. The variance is that of
    these counts. The error of the background is common to all dwells (see `sum_rows`).

    Returns the number of phases that are not good.
    """
    bad = 0
    for p in range(hits.size):
        n = np.float64(gates[p])
        k = np.float64(hits[p])
        if n <= 0:
            flags[p], mu[p], var[p] = NO_GATES, np.nan, np.nan
            bad += 1
        elif k >= n:
            flags[p], mu[p], var[p] = SATURATED, np.inf, np.nan
            bad += 1
        else:
            variance = k / (n * (n - k))
            flags[p] = GOOD
            mu[p] = -np.log1p(-k / n) - 0.5 * variance - background[p]
            var[p] = variance
            if not pile_up:
                mu[p], var[p] = k / n - background[p], k * (n - k) / n**3
    return bad


@kernel(error_model="numpy")
def average_slots(  # type: ignore[no-untyped-def]
    mu, var, slot_of_phase, bunch_of_phase, bunch_out, scale, slot_mu, slot_var
):  # fmt: skip
    """Write the unweighted mean of mu over each slot's phases, and its variance, without the bunches that are out.

    ``scale[b]`` is a factor for the phases of each bunch: its reference current over its current. Slot -1 is none.
    """
    num_slots = slot_mu.size
    members = np.zeros(num_slots)
    slot_mu[:] = 0.0
    slot_var[:] = 0.0
    for p in range(mu.size):
        s = slot_of_phase[p]
        if s >= 0 and not bunch_out[bunch_of_phase[p]]:
            factor = scale[bunch_of_phase[p]]
            slot_mu[s] += mu[p] * factor
            slot_var[s] += var[p] * factor * factor
            members[s] += 1.0
    for s in range(num_slots):
        slot_mu[s] /= members[s]
        slot_var[s] /= members[s] * members[s]


@kernel(error_model="numpy")
def sum_rows(state, weight, flux, slot_mu, slot_var, common_var, i0_noise, rate, cov):  # type: ignore[no-untyped-def]
    """Write the rates of a point with laser off and on, summed over its rows, and their covariance.

    ``common_var[l, s]`` is the variance of the background, which is common to all dwells in a state; more dwells do
    not average it down.

    ``rate[l, s] = sum(weight * slot_mu[:, s]) / sum(weight * flux)`` over the rows in laser state ``l``: the
    sum of scans divided by the sum of the incoming flux (SI 4). A rate is in photons per I0 count.
    """
    num_slots = slot_mu.shape[1]
    for laser in range(2):
        exposure = 0.0
        opened = 0.0
        for s in range(num_slots):
            rate[laser, s] = 0.0
        for r in range(state.size):
            if state[r] == laser:
                exposure += weight[r] * flux[r]
                opened += weight[r]
                for s in range(num_slots):
                    rate[laser, s] += weight[r] * slot_mu[r, s]
        flux_var = 0.0
        for r in range(state.size):
            if state[r] == laser:
                flux_var += (weight[r] * flux[r] * i0_noise / exposure) ** 2
        for s in range(num_slots):
            rate[laser, s] /= exposure
        for s in range(num_slots):
            for t in range(num_slots):
                cov[laser, s, t] = rate[laser, s] * rate[laser, t] * flux_var
            for r in range(state.size):
                if state[r] == laser:
                    cov[laser, s, s] += (weight[r] / exposure) ** 2 * slot_var[r, s]
            cov[laser, s, s] += (opened / exposure) ** 2 * common_var[laser, s]


@kernel(error_model="numpy")
def update_point(  # type: ignore[no-untyped-def]
    hits, gates, background, pile_up, slot_of_phase, bunch_of_phase, bunch_out, scale,
    row, i0_noise, common_var, state, weight, flux, mu, var, flags, slot_mu, slot_var,
    rate, cov, difference, difference_cov,
):  # fmt: skip
    """Write one dwell to its row and update the point: phases, slots, on/off sums, difference, covariance.

    Parameters
    ----------
    hits, gates : int64[P]
        Hits and opened gates of the dwell, one element a phase.
    background : float64[P]
        Photons a pulse that are not from the sample.
    pile_up : bool
        Whether hits are corrected for it.
    slot_of_phase, bunch_of_phase : int64[P]
    bunch_out : bool[B]
        Bunches excluded from all slots.
    scale : float64[B]
        Reference current over current of each bunch.
    row : int
        Row of this dwell; ``state[row]``, ``weight[row]`` and ``flux[row]`` are set by the caller.
    i0_noise : float
        Relative standard deviation of one I0 reading.
    common_var : float64[2, S]
        Variance of the background, common to all dwells in a state.
    state : int8[R]
        `OFF`, `ON` or `EMPTY`.
    weight : float64[R]
        Mean opened gates a phase.
    flux : float64[R]
        I0 counts a pulse, dark subtracted.
    mu, var, flags : float64[P], float64[P], uint8[P]
        Written: photons a pulse of this dwell, their variance, flags.
    slot_mu, slot_var : float64[R, S]
        Written at ``row``.
    rate, cov : float64[2, S], float64[2, S, S]
        Written: sums over the rows with laser off (0) and on (1), photons per I0 count.
    difference, difference_cov : float64[S], float64[S, S]
        Written: on minus off, same slot, and its covariance.

    Returns
    -------
    int
        Number of phases of this dwell that are not good.
    """
    bad = estimate_phases(hits, gates, background, pile_up, mu, var, flags)
    average_slots(mu, var, slot_of_phase, bunch_of_phase, bunch_out, scale, slot_mu[row], slot_var[row])
    sum_rows(state, weight, flux, slot_mu, slot_var, common_var, i0_noise, rate, cov)
    for s in range(difference.size):
        difference[s] = rate[ON, s] - rate[OFF, s]
        for t in range(difference.size):
            difference_cov[s, t] = cov[ON, s, t] + cov[OFF, s, t]
    return bad


@kernel(error_model="numpy")
def fault_of_counts(hits, gates):  # type: ignore[no-untyped-def]
    """Why counts cannot serve: 1 hits below zero or above the gates, 2 no gate opened, 3 a hit in every gate; else 0.

    Parameters
    ----------
    hits, gates : int64[P]
    """
    opened = missed = False
    for p in range(hits.size):
        if hits[p] < 0 or hits[p] > gates[p]:
            return 1
        opened |= gates[p] > 0
        missed |= hits[p] < gates[p]
    if not opened:
        return 2
    return 0 if missed else 3


@kernel(error_model="numpy")
def fault_of_pairs(gates, hits, previous_hits, coincidences, largest):  # type: ignore[no-untyped-def]
    """Why pair counters are invalid: 1 out of range, 2 more coincidences than hits, 3 more hits than gates; else 0.

    Parameters
    ----------
    gates, hits, previous_hits, coincidences : int64[L, P]
    largest : int
        Upper limit of the gates.
    """
    above = excess = False
    for lag in range(gates.shape[0]):
        for p in range(gates.shape[1]):
            n, k, b, c = gates[lag, p], hits[lag, p], previous_hits[lag, p], coincidences[lag, p]
            if k < 0 or b < 0 or c < 0 or n > largest:
                return 1
            above |= c > min(k, b)
            excess |= k + b - c > n
    return 2 if above else 3 if excess else 0


@kernel(error_model="numpy")
def sum_lags(gates, hits, previous_hits, coincidences, out):  # type: ignore[no-untyped-def]
    """Add to `out`, float64[L, 3]: coincidences, their expected number for independent gates, and its variance."""
    for lag in range(gates.shape[0]):
        for p in range(gates.shape[1]):
            n = np.float64(max(gates[lag, p], 1))
            fraction, previous_fraction = hits[lag, p] / n, previous_hits[lag, p] / n
            expected = fraction * previous_hits[lag, p]
            out[lag, 0] += coincidences[lag, p]
            out[lag, 1] += expected
            out[lag, 2] += expected * (1 - fraction) * (1 - previous_fraction)


def warm_up(num_phases: int = 120, num_slots: int = 5) -> None:
    """Compile the kernels of a dwell, or load them from the cache, so that the first dwell does not wait for that."""
    pairs = np.zeros((4, 1, num_phases), np.int64)
    fault_of_counts(pairs[0, 0], pairs[0, 0])
    fault_of_pairs(pairs[0], pairs[1], pairs[2], pairs[3], 1)
    sum_lags(pairs[0], pairs[1], pairs[2], pairs[3], np.zeros((1, 3)))
    phases: NDArray[np.int64] = np.arange(num_phases)
    update_point(
        np.ones(num_phases, np.int64), np.full(num_phases, 10, np.int64), np.zeros(num_phases), True,
        phases % num_slots, phases % num_phases, np.zeros(num_phases, np.bool_), np.ones(num_phases),
        0, 1e-3, np.zeros((2, num_slots)), np.zeros(2, np.int8), np.ones(2), np.ones(2),
        np.empty(num_phases), np.empty(num_phases), np.empty(num_phases, np.uint8),
        np.ones((2, num_slots)), np.ones((2, num_slots)),
        np.empty((2, num_slots)), np.empty((2, num_slots, num_slots)),
        np.empty(num_slots), np.empty((num_slots, num_slots)),
    )  # fmt: skip
