"""Several counters of the same dwells combined into one, before references, offset and edge integral.

Each detector has its own pile-up correction, background, after-effects and bunches. Their photons per pulse are then
added with one weight per detector for the whole scan,

    mu = sum_d a_d mu_d,    a_d proportional to (sum of mu_d) / (sum of var mu_d),

the sums over all dwells and slots: the weights of least relative variance where spectra have the same shape. For
photons without background this is the plain sum of counts. Weights from the counts of the same point would bias: a
dwell that happens to have few counts has a small variance and would get a large weight.

What detectors share, the noise of I0 and of the jet, is in every one of them with the same sign. The sum contains it
once, so that the noise of dwells found from the sum (`reduction.references.dwell_noise`) is the covariance between
detectors; counting variances add up with the squares of the weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import EMPTY
from reduction.counting.row_parts import BunchAgreement, GroundState
from reduction.counting.rows import DwellRows, PointRates, point_rates

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Weights:
    """Weights of D detectors for a whole scan.

    Attributes
    ----------
    factor : ndarray, shape (D,)
        Of photons per pulse; the mean of the combination is that of the sum of all detectors.
    share : ndarray, shape (D,)
        Fraction of the combination that comes from each detector.
    """

    factor: Array
    share: Array

    def combined(self, values: Sequence[Array], power: int = 1) -> Array:
        """Sum of values of all detectors times their factor to a power."""
        return np.asarray(sum(factor**power * each for factor, each in zip(self.factor, values, strict=True)))


def scan_wide_weights(detectors: Sequence[DwellRows]) -> Weights:
    """Weights of least relative variance, from the means of all dwells in which all detectors count.

    Parameters
    ----------
    detectors : sequence of DwellRows
        With the same rows.

    Raises
    ------
    ValueError
        If a detector has no photons.
    """
    good = np.all([rows.state != EMPTY for rows in detectors], axis=0)
    if not good.any():
        return weights_of([_mean_of(rows, rows.state != EMPTY) for rows in detectors])
    return weights_of([_mean_of(rows, good) for rows in detectors])


def _mean_of(rows: DwellRows, good: NDArray[np.bool_]) -> tuple[float, float]:
    """Mean photons per pulse and mean counting variance of the chosen dwells."""
    return float(rows.slot_mu[good].mean()), float(rows.slot_var[good].mean())


def weights_of(means: Iterable[tuple[float, float]]) -> Weights:
    """Weights from the mean and the mean counting variance (photons per pulse) of each detector."""
    mean, variance = np.array(list(means)).T
    if not ((mean > 0) & (variance > 0)).all():
        raise ValueError("a detector without photons has no weight")
    factor = mean / variance
    factor *= mean.sum() / (factor @ mean)
    return Weights(factor, factor * mean / mean.sum())


def combine_rows(detectors: Sequence[DwellRows], weights: Weights) -> DwellRows:
    """The dwells of all detectors as those of one.

    A dwell counts where every detector has it. A pass in which a detector has no dwell at all (it was left out, or not
    read) is combined from the others, scaled by their share.

    Parameters
    ----------
    detectors : sequence of DwellRows
        With the same rows.
    weights : Weights
    """
    there = np.stack([_counts_in_pass(rows) for rows in detectors])  # (D, R)
    state = np.stack([rows.state for rows in detectors])  # (D, N, R)
    good = np.all((state != EMPTY) | ~there[:, None, :], axis=0) & there.any(axis=0)
    share = weights.share @ there
    scale = np.divide(1.0, share, out=np.zeros_like(share), where=share > 0)[:, None]
    factor = weights.factor[:, None, None] * there[:, :, None] * scale  # (D, R, 1)
    with np.errstate(invalid="ignore"):  # what does not count may be infinite
        values = [np.where(good[:, :, None], f * rows.slot_mu, 0.0) for f, rows in zip(factor, detectors, strict=True)]
        var = [np.where(good[:, :, None], f**2 * rows.slot_var, 0.0) for f, rows in zip(factor, detectors, strict=True)]
    shifts = [f[..., None] * rows.slot_shift for f, rows in zip(factor, detectors, strict=True)]
    return replace(
        detectors[0],
        state=np.where(good, state.max(axis=0), np.int8(EMPTY)),
        weight=np.tensordot(weights.share, [rows.weight for rows in detectors], 1),
        slot_mu=_without_absent(values, there),
        slot_var=_without_absent(var, there),
        slot_shift=np.concatenate(shifts, axis=3),
        ground=_ground(detectors, factor),
    )


def _ground(detectors: Sequence[DwellRows], factor: Array) -> GroundState | None:
    """Ground state before the pump of the combined dwells; factors have the shape (D, R, 1)."""
    grounds = [rows.ground for rows in detectors if rows.ground is not None]
    if len(grounds) < len(detectors):
        return None
    mu = sum(f * each.mu for f, each in zip(factor, grounds, strict=True))
    variance = sum(f**2 * each.bunch_var for f, each in zip(factor, grounds, strict=True))
    shift = np.concatenate([f[..., None] * each.shift for f, each in zip(factor, grounds, strict=True)], axis=3)
    return replace(grounds[0], mu=np.asarray(mu), bunch_var=np.asarray(variance), shift=shift)


def _counts_in_pass(rows: DwellRows) -> NDArray[np.bool_]:
    """Whether any dwell of the pass of each row counts, shape (R,)."""
    passes = np.unique(rows.pass_index[(rows.state != EMPTY).any(axis=0)])
    return np.isin(rows.pass_index, passes)


def _without_absent(values: Sequence[Array], there: NDArray[np.bool_]) -> Array:
    """Sum over the detectors that are in the pass of each row."""
    return np.asarray(sum(np.where(here[:, None], each, 0.0) for each, here in zip(values, there, strict=True)))


def combine(named: Mapping[str, PointRates], i0_noise: float) -> PointRates:
    """Rates of all detectors as those of one, with notes about dwells that a detector lacks.

    Parameters
    ----------
    named : mapping of str to PointRates
        By name of the detector, each with its dwells.
    i0_noise : float
        Relative standard deviation of one I0 reading.
    """
    used = {name: rates for name, rates in named.items() if has_photons(rates)}
    if len(used) < 2:
        alone = next(iter(used.values() or named.values()))
        return replace(alone, notes=(*notes_of(named), *_without_photons(named, used)))
    detectors = [rates.rows for rates in used.values() if rates.rows is not None]
    weights = scan_wide_weights(detectors)
    rows = combine_rows(detectors, weights)
    first = next(iter(used.values()))
    common = weights.combined([_or_zero(rates.common_variance, rates) for rates in used.values()], 2)
    out = np.max([rates.bunches_out for rates in used.values()], axis=0)
    rates = point_rates(rows, i0_noise, out, first.pattern, common)
    monitors = [each.monitors for each in used.values() if each.monitors is not None]
    return replace(
        rates,
        background=weights.combined([_or_zero(each.background, each) for each in used.values()]),
        monitors=combine_rows(monitors, weights) if len(monitors) == len(used) else None,
        notes=(*notes_of(named), *_without_photons(named, used), *_lacking(used, rows)),
        faults=_faults(used),
        bunches=_bunches(used),
    )


def _bunches(used: Mapping[str, PointRates]) -> BunchAgreement | None:
    """Chi-square of the bunches' counts in all detectors together; its notes are among those of the detectors."""
    found = [rates.bunches for rates in used.values() if rates.bunches is not None]
    if not found:
        return None
    dof = sum(each.dof for each in found)
    equal, fixed, measured = (
        sum(each.dof * getattr(each, name) for each in found) / dof for name in ("equal", "fixed", "measured")
    )
    return BunchAgreement(equal, fixed, measured, dof)


def has_photons(rates: PointRates) -> bool:
    """Whether a detector has a good dwell, and photons in it."""
    if rates.rows is None or not (good := rates.rows.state != EMPTY).any():
        return False
    return bool(rates.rows.slot_mu[good].mean() > 0)


def _or_zero(value: Array | None, rates: PointRates) -> Array:
    return np.zeros(rates.rate.shape[:2]) if value is None else value


def notes_of(named: Mapping[str, PointRates]) -> tuple[str, ...]:
    """Notes of all detectors; those that not all of them have begin with the name of the detector."""
    found: dict[str, list[str]] = {}
    for name, rates in named.items():
        for note in rates.notes:
            found.setdefault(note, []).append(name)
    return tuple(
        note if len(names) == len(named) else f"{', '.join(names)}: {note}" for note, names in found.items()
    )  # fmt: skip


def _without_photons(named: Mapping[str, PointRates], used: Mapping[str, PointRates]) -> list[str]:
    missing = [name for name in named if name not in used]
    if not missing or not used:
        return []
    return [f"{', '.join(missing)} had no good dwell with photons: the result is that of {', '.join(used)}."]


def _lacking(used: Mapping[str, PointRates], combined: DwellRows) -> list[str]:
    """Notes about dwells and passes that a detector lacks while another has them."""
    notes = []
    states = {name: rates.rows.state != EMPTY for name, rates in used.items() if rates.rows is not None}
    anywhere = np.any(list(states.values()), axis=0)
    for name, mine in states.items():
        lacks = anywhere & ~mine
        of_pass = {index: combined.pass_index == index for index in np.unique(combined.pass_index)}
        whole = [index for index, rows in of_pass.items() if anywhere[:, rows].any() and not mine[:, rows].any()]
        if whole:
            listed = ", ".join(str(index + 1) for index in whole)
            notes.append(f"{name} has no good dwell in pass {listed}, which is combined from the others.")
        if single := int(lacks[:, ~np.isin(combined.pass_index, whole)].sum()):
            notes.append(
                f"{name} lacks {single} of {int(anywhere.sum())} dwells, which the combination does without."
                f" Leave {name} out to use them."
            )
    return notes


def _faults(used: Mapping[str, PointRates]) -> dict[int, tuple[str, ...]]:
    """Reasons why dwells of each point are rejected, with the detector where it is not all of them."""
    found: dict[int, dict[str, list[str]]] = {}
    for name, rates in used.items():
        for point, reasons in rates.faults.items():
            for reason in reasons:
                found.setdefault(point, {}).setdefault(reason, []).append(name)
    return {
        point: tuple(why if len(who) == len(used) else f"{', '.join(who)}: {why}" for why, who in reasons.items())
        for point, reasons in found.items()
    }
