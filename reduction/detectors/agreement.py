"""Chi-square of the agreement of several detectors: static spectrum and transients, from the dwells that all have.

Each detector is compared by the simplest chain, the same slot with the laser off and on. With ``x_d`` the result of
detector d, the differences ``x_d - x_1`` have the covariance

    delta_de (C_d + o_d^2 A_d A_d^T) + C_1 + n^2 (A_d - A_1) (A_e - A_1)^T,

C_d from counting, A_d the derivative by the logarithm of the flux in each laser state and point, n the noise of a dwell
that detectors share (I0, jet), and o_d that of the ratio of detector d to the first, where dwells scatter by
significantly more than they should by counting: windows of time that are not quite the same, or a gain that fluctuates.
What detectors share cancels, but for their different backgrounds.

The relative transients of delay and fluence scans contain the signal that is not of the edge, which differs between
detectors: there a factor for each detector is free, which costs a degree of freedom each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import EMPTY, OFF, ON
from reduction.counting.rows import DwellRows, only
from reduction.references.dwell_noise import CONTRADICTS, dwell_noise, noise_within_states
from reduction.references.on_off import OnOff, balanced, summed
from reduction.settings import Settings
from reduction.spectra.normalise import normalise
from reduction.statistics.quantiles import chi_square_p_values

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

DISAGREES = 1e-3
"""P-value, times the number of quantities, below which detectors disagree."""
RANK = 1e-9
"""Relative size of eigenvalues that are zero but for rounding: offset and edge integral take degrees of freedom."""
DRIFT = 0.05
"""Assumed change of the thickness of the sample within a single pass; cancels but for different backgrounds."""
SIGNS = ((OFF, -1.0), (ON, 1.0))


@dataclass(frozen=True)
class Estimate:
    """One quantity by one detector; axes N points, M shared parameters.

    Attributes
    ----------
    value : ndarray, shape (N,)
    covariance : ndarray, shape (N, N)
        From counting, and from the noise of a dwell that is its own.
    shared : ndarray, shape (N, M)
        Change by one standard deviation of each parameter that detectors share.
    """

    value: Array
    covariance: Array
    shared: Array

    def with_noise(self, own: float, shared: float) -> Estimate:
        """The estimate with these relative noises of a dwell, `shared` being the response to a noise of 1."""
        covariance = self.covariance + own**2 * self.shared @ self.shared.T
        return Estimate(self.value, covariance, shared * self.shared)


def least_agreement(quantities: Sequence[str], chi_square: Array, freedom: NDArray[np.int64], p_value: Array) -> str:
    """The quantity that agrees least, with its numbers; NaN where there is nothing to compare."""
    least = int(np.nanargmin(p_value))
    return (
        f"{quantities[least]}: chi-square {chi_square[least]:.1f} for {freedom[least]} degrees of freedom,"
        f" p-value {p_value[least]:.2g}"
    )


@dataclass(frozen=True)
class DetectorAgreement:
    """Agreement of the detectors; axis Q quantities.

    Attributes
    ----------
    detectors : tuple of str
    quantities : tuple of str
        ``static``, then ``slot 0`` and so on: the transient of each slot.
    chi_square, p_value : ndarray, shape (Q,)
        NaN where there is nothing to compare.
    freedom : ndarray of int, shape (Q,)
    disagrees : str
        Name of the detector that disagrees; of two, both. Empty if all agree.
    """

    detectors: tuple[str, ...]
    quantities: tuple[str, ...]
    chi_square: Array
    freedom: NDArray[np.int64]
    p_value: Array
    disagrees: str

    @property
    def sentence(self) -> str:
        """The result in one sentence, by the quantity that agrees least."""
        if np.isnan(self.p_value).all():
            return f"The agreement of {' and '.join(self.detectors)} is unknown: they have no point in common."
        numbers = least_agreement(self.quantities, self.chi_square, self.freedom, self.p_value)
        if not self.disagrees:
            return f"{' and '.join(self.detectors)} agree ({numbers})."
        verb = "disagree" if " and " in self.disagrees else "disagrees"
        return f"{self.disagrees} {verb} ({numbers}). Compare their spectra, and leave out the one that is wrong."


def agreement_of_spectra(energy: Array, detectors: Mapping[str, DwellRows], settings: Settings) -> DetectorAgreement:
    """Agreement of static spectrum and transients.

    Parameters
    ----------
    energy : ndarray, shape (E,), keV
    detectors : mapping of str to DwellRows
        With the same rows.
    settings : Settings

    Raises
    ------
    reduction.errors.ReductionError
        If windows are empty or an edge integral is not above zero.
    """
    common, noise, used = _common_dwells(detectors, settings.i0_noise)
    if not used.any():
        return _nothing(tuple(detectors))
    drift = float(np.hypot(noise, _between_passes(common)))
    quantities: dict[str, list[Estimate]] = {}
    for rows in common:
        sums, own = _sums(rows), _own_noise(rows, common[0])
        quantities.setdefault("static", []).append(_static(energy[used], sums, settings).with_noise(own, drift))
        for slot in range(rows.num_slots) if _pumped(rows) else ():
            estimate = _transient(energy[used], sums, slot, settings)
            quantities.setdefault(f"slot {slot}", []).append(estimate.with_noise(own, noise))
    return agreement(tuple(detectors), quantities)


def agreement_of_traces(detectors: Mapping[str, DwellRows], settings: Settings) -> DetectorAgreement:
    """Agreement of the relative transients of a delay or fluence scan, each detector with a free factor."""
    common, noise, used = _common_dwells(detectors, settings.i0_noise)
    if not used.any():
        return _nothing(tuple(detectors))
    quantities: dict[str, list[Estimate]] = {}
    for rows in common:
        sums, own = balanced(rows), _own_noise(rows, common[0])
        for slot in range(rows.num_slots):
            quantities.setdefault(f"slot {slot}", []).append(_relative(sums, slot).with_noise(own, noise))
    return agreement(tuple(detectors), quantities, free_factors=True)


def agreement(
    names: tuple[str, ...], quantities: Mapping[str, Sequence[Estimate]], free_factors: bool = False
) -> DetectorAgreement:
    """Agreement of estimates, for each quantity one of each detector in the order of `names`."""
    found = [_chi_square(estimates, free_factors) for estimates in quantities.values()]
    chi_square, freedom = np.array([each[0] for each in found]), np.array([each[1] for each in found], np.int64)
    p_value = chi_square_p_values(chi_square, freedom)
    disagrees = ""
    if (p_value * p_value.size < DISAGREES).any():
        worst = list(quantities.values())[int(np.nanargmin(p_value))]
        disagrees = _the_odd_one(names, worst, free_factors)
    return DetectorAgreement(names, tuple(quantities), chi_square, freedom, p_value, disagrees)


def _nothing(names: tuple[str, ...]) -> DetectorAgreement:
    return DetectorAgreement(names, ("static",), np.array([np.nan]), np.zeros(1, np.int64), np.array([np.nan]), "")


def _the_odd_one(names: tuple[str, ...], estimates: Sequence[Estimate], free_factors: bool) -> str:
    """The detector without which the others agree best; all of them if there are two."""
    if len(names) == 2:
        return " and ".join(names)
    without = [
        _chi_square([each for other, each in enumerate(estimates) if other != one], free_factors)[0]
        for one in range(len(names))
    ]
    return names[int(np.argmin(without))]


def _chi_square(estimates: Sequence[Estimate], free_factors: bool) -> tuple[float, int]:
    """Chi-square of the differences from the first detector, and its degrees of freedom."""
    first, others = estimates[0], estimates[1:]
    difference = np.concatenate([each.value - first.value for each in others])
    shared = np.concatenate([each.shared - first.shared for each in others])
    size = first.value.size
    covariance = np.tile(first.covariance, (len(others),) * 2) + shared @ shared.T
    for number, each in enumerate(others):
        mine = slice(number * size, (number + 1) * size)
        covariance[mine, mine] += each.covariance
    scale = np.sqrt(np.maximum(np.diagonal(covariance), np.finfo(float).tiny))
    values, vectors = np.linalg.eigh(covariance / scale[:, None] / scale)
    kept = values > RANK * values[-1]
    root = vectors[:, kept].T / np.sqrt(values[kept])[:, None] / scale  # whitens
    residual = root @ difference
    free = len(others) if free_factors else 0
    if free_factors:
        design = root @ np.kron(np.eye(len(others)), _mean_of(estimates)[:, None])
        residual = residual - design @ np.linalg.lstsq(design, residual, rcond=None)[0]
    return float(residual @ residual), max(int(kept.sum()) - free, 0)


def _mean_of(estimates: Sequence[Estimate]) -> Array:
    """Mean of estimates by their precision: its noise is independent of that of their differences."""
    precision = [np.linalg.pinv(each.covariance, hermitian=True) for each in estimates]
    total = np.einsum("dij,dj->i", precision, [each.value for each in estimates])
    return np.linalg.pinv(np.sum(precision, axis=0), hermitian=True) @ total


def _static(energy: Array, sums: OnOff, settings: Settings) -> Estimate:
    """Normalised laser-off spectrum, mean of the slots."""
    rate, slots = sums.rate[OFF].mean(axis=0), sums.rate.shape[1]
    shift = sums.shift[OFF].mean(axis=0)
    covariance = np.diag(sums.variance[OFF].sum(axis=0) / slots**2) + shift @ shift.T
    result = normalise(rate, covariance, energy, settings)
    return Estimate(result.value, result.covariance, result.jacobian * (rate * _root(sums)[OFF]))


def _transient(energy: Array, sums: OnOff, slot: int, settings: Settings) -> Estimate:
    """On minus off of one slot, each normalised by its own offset and edge integral."""
    off, on = (
        normalise(sums.rate[laser, slot], np.diag(sums.variance[laser, slot]), energy, settings) for laser in (OFF, ON)
    )
    shared = [
        sign * each.jacobian * (sums.rate[laser, slot] * _root(sums)[laser])
        for each, (laser, sign) in zip((off, on), SIGNS, strict=True)
    ]
    shift = on.jacobian @ sums.shift[ON, slot] - off.jacobian @ sums.shift[OFF, slot]
    noise = on.covariance + off.covariance + shift @ shift.T
    return Estimate(on.value - off.value, noise, np.concatenate(shared, axis=1))


def _relative(sums: OnOff, slot: int) -> Estimate:
    """On over off minus 1 of one slot."""
    off, on = sums.rate[OFF, slot], sums.rate[ON, slot]
    counting = (on / off) ** 2 * sums.relative_variance[:, slot].sum(axis=0)
    shift = sums.shift[ON, slot] / off[:, None] - (on / off**2)[:, None] * sums.shift[OFF, slot]
    shared = np.concatenate([np.diag(sign * on / off * _root(sums)[laser]) for laser, sign in SIGNS], axis=1)
    return Estimate(on / off - 1, np.diag(counting) + shift @ shift.T, shared)


def _root(sums: OnOff) -> Array:
    return np.sqrt(sums.variance_factor)


def _common_dwells(detectors: Mapping[str, DwellRows], i0_noise: float) -> tuple[list[DwellRows], float, Flags]:
    """The dwells that all detectors have, the noise of a dwell that they share, and the points with photons."""
    good = np.all([rows.state != EMPTY for rows in detectors.values()], axis=0)
    common = [replace(rows, state=np.where(good, rows.state, np.int8(EMPTY))) for rows in detectors.values()]
    states = slice(None) if _pumped(common[0]) else slice(1)
    used = np.all([np.nan_to_num(_sums(rows).rate[states]).min(axis=(0, 1)) > 0 for rows in common], axis=0)
    common = [only(rows, used) for rows in common]
    noise = dwell_noise(_sum(common)).at_least(i0_noise) if used.any() else i0_noise
    return common, noise, used


def _own_noise(rows: DwellRows, first: DwellRows) -> float:
    """Relative noise of a dwell of a detector over the first one, beyond counting; 0 where it is not significant."""
    if rows is first:
        return 0.0
    levels = [each.slot_mu.sum(axis=2) for each in (rows, first)]
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = levels[0] / levels[1]
        counting = sum(each.slot_var.sum(axis=2) / level**2 for each, level in zip((rows, first), levels, strict=True))
    of_ratio = replace(
        first, slot_mu=ratio[..., None], slot_var=(counting * ratio**2)[..., None], flux=np.ones_like(ratio)
    )
    seen = noise_within_states(of_ratio)
    return seen.noise if seen.variance > CONTRADICTS * seen.stddev else 0.0


def _pumped(rows: DwellRows) -> bool:
    """Whether any dwell has the laser on."""
    return bool((rows.state == ON).any())


def _sums(rows: DwellRows) -> OnOff:
    """Rates of laser on and off from the same passes; without the laser, of all of them."""
    return balanced(rows) if _pumped(rows) else summed(rows)


def _sum(common: Sequence[DwellRows]) -> DwellRows:
    mu, var = (np.sum([getattr(rows, name) for rows in common], axis=0) for name in ("slot_mu", "slot_var"))
    return replace(common[0], slot_mu=mu, slot_var=var)


def _between_passes(common: Sequence[DwellRows]) -> float:
    """Relative change of the light from point to point that passes do not repeat, in their mean."""
    rows, levels = _sum(common), []
    for index in np.unique(rows.pass_index):
        mine = (rows.state == OFF) & (rows.pass_index == index)
        with np.errstate(invalid="ignore", divide="ignore"):
            level = np.log((rows.of_all_slots()[0] * mine).sum(axis=1) / (rows.flux * mine).sum(axis=1))
        if np.isfinite(level).all():
            levels.append(level - level.mean())
    if len(levels) < 2:
        return DRIFT
    return float(np.sqrt(np.mean(np.var(levels, axis=0, ddof=1)) / len(levels)))
