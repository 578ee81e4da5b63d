"""Decay-associated and species-associated spectra of a map, from one global fit of all its energies.

All energies decay with the same lifetimes; the amplitudes of one lifetime against energy are its decay-associated
spectrum. If each state decays into the next (A to B to C, lifetimes ascending), the spectra of the states follow from
them: with rates k and decay-associated spectra D in this order

    S_1 = D_1 + D_2 + D_3,    S_2 = D_2 (1 - k_2/k_1) + D_3 (1 - k_3/k_1),    S_3 = D_3 (1 - k_3/k_1)(1 - k_3/k_2),

which inverts the concentrations of an unbranched sequence (van Stokkum, Larsen and van Grondelle, Biochim. Biophys.
Acta 1657, 82, 2004). Errors of both include those of the lifetimes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.errors import ReductionError
from reduction.maps.transient_map import FreeMap, TransientMap
from reduction.statistics.quantiles import chi_square_p_value
from reduction.traces.kinetics.fit import notes_of, search
from reduction.traces.kinetics.model import RESPONSE
from reduction.traces.kinetics.variable_projection import FitError, Trace, VariableProjection

Array = NDArray[np.float64]

RISE = 3
"""Delays within two widths of the response around zero for which time zero is fitted."""
STEP = 1e-4
"""Of the logarithms of the lifetimes, for the derivatives of the species-associated spectra."""
MODELS = ((2, "offset"), (1, "offset"), (1, "none"))
"""Lifetimes and tail, the richest first."""


@dataclass(frozen=True)
class AssociatedSpectra:
    """Spectra of one global fit; axes L components, the offset last, and E energies.

    Attributes
    ----------
    lifetimes, lifetimes_stddev : ndarray, shape (L,), ps
        Ascending; infinity and 0 for an offset.
    decay, decay_stddev : ndarray, shape (L, E)
        Decay-associated spectra, those of the transient at its start.
    decay_covariance : ndarray, shape (L E, L E)
    species, species_stddev : ndarray, shape (L, E)
        Species-associated spectra of an unbranched sequence.
    species_covariance : ndarray, shape (L E, L E)
    chi_square : float
    dof : int
    p_value : float
    time_zero : float, ps
    notes : tuple of str
    """

    lifetimes: Array
    lifetimes_stddev: Array
    decay: Array
    decay_stddev: Array
    decay_covariance: Array
    species: Array
    species_stddev: Array
    species_covariance: Array
    chi_square: float
    dof: int
    p_value: float
    time_zero: float
    notes: tuple[str, ...]


def associated_spectra(
    found: TransientMap, num_lifetimes: int | None = None, tail: str | None = None, sigma: float = RESPONSE
) -> AssociatedSpectra:
    """Fit all energies of a map with common lifetimes.

    Parameters
    ----------
    found : TransientMap
    num_lifetimes : int, optional
        1 to 3; by default two, or fewer where the delays are too few or the fit gives reasons to doubt it.
    tail : str, optional
        ``offset`` or ``none``.
    sigma : float, ps
        Standard deviation of the Gaussian response.

    Raises
    ------
    reduction.errors.ReductionError
        If there are too few delays or energies, or the covariance cannot be inverted.
    """
    free = found.free()
    for number, kind in _models(found, num_lifetimes, tail):
        result = _fitted(found, free, number, kind, sigma)
        if not result.notes:
            break
    return result


def _fitted(found: TransientMap, free: FreeMap, number: int, tail: str, sigma: float) -> AssociatedSpectra:
    count = number + (tail == "offset")
    rows, columns = free.value.shape
    if columns < count:
        raise ReductionError(f"{columns} free energies cannot show the spectra of {count} components: add energies")
    order = np.arange(rows * columns).reshape(rows, columns).T.ravel()  # by energy, then by delay
    traces = [Trace(found.delay, free.value[:, column], np.ones(rows)) for column in range(columns)]
    rise = np.count_nonzero(np.abs(found.delay) <= 2 * sigma) >= RISE
    try:
        model = VariableProjection(
            traces, number, tail == "offset", sigma, ("time_zero",) if rise else (),
            free.covariance[np.ix_(order, order)],
        )  # fmt: skip
        theta, message = search(model, long=False)
    except FitError as error:
        raise ReductionError(f"no global fit of the map: {error}") from error
    return _assembled(model, theta, free.basis, count, message)


def _models(found: TransientMap, number: int | None, tail: str | None) -> list[tuple[int, str]]:
    """Lifetimes and tails for which the delays after time zero suffice: one more than components; richest first."""
    delays = np.unique(found.delay[found.delay > 0]).size
    wanted = list(dict.fromkeys((number or each[0], tail or each[1]) for each in MODELS))
    if bad := [each for each in wanted if each[0] not in (1, 2, 3) or each[1] not in ("offset", "none")]:
        raise ReductionError(f"a map is fitted with 1 to 3 lifetimes and a tail offset or none, not {bad[0]}")
    if enough := [each for each in wanted if delays > each[0] + (each[1] == "offset")]:
        return enough
    least = wanted[-1][0] + (wanted[-1][1] == "offset") + 1
    raise ReductionError(f"{delays} delay(s) after time zero are too few for a global fit, which needs {least}")


def _assembled(model: VariableProjection, theta: Array, basis: Array, count: int, message: str) -> AssociatedSpectra:
    amplitudes = model.amplitudes(theta)  # (columns, count)
    covariance = model.covariance_of_all(theta, amplitudes)
    columns, number = len(amplitudes), model.num_lifetimes
    lifetimes, stddev = np.full(count, np.inf), np.zeros(count)
    lifetimes[:number] = np.exp(theta[:number])
    stddev[:number] = lifetimes[:number] * np.sqrt(np.diagonal(covariance))[amplitudes.size :][:number]
    spread = np.einsum("er,lm->lerm", basis, np.eye(count)).reshape(count * len(basis), columns * count)
    decay = spread @ amplitudes.ravel()
    to_species = np.kron(_to_species(lifetimes), np.eye(len(basis)))
    by_lifetime = _derivatives(lifetimes, number, decay.reshape(count, -1))
    jacobian = np.zeros((decay.size, amplitudes.size + theta.size))
    jacobian[:, : amplitudes.size] = to_species @ spread
    jacobian[:, amplitudes.size : amplitudes.size + number] = by_lifetime
    of_decay = spread @ covariance[: amplitudes.size, : amplitudes.size] @ spread.T
    of_species = jacobian @ covariance @ jacobian.T
    chi_square = model.chi_square(theta)
    zero = dict(zip(model.extra, theta[number:], strict=True)).get("time_zero", 0.0)
    shape = (count, len(basis))
    return AssociatedSpectra(
        lifetimes=lifetimes, lifetimes_stddev=stddev,
        decay=decay.reshape(shape), decay_covariance=of_decay,
        decay_stddev=np.sqrt(np.diagonal(of_decay)).reshape(shape),
        species=(to_species @ decay).reshape(shape), species_covariance=of_species,
        species_stddev=np.sqrt(np.diagonal(of_species)).reshape(shape),
        chi_square=chi_square, dof=model.dof, p_value=chi_square_p_value(chi_square, model.dof),
        time_zero=model.sigma * float(zero), notes=notes_of(model, theta, stddev, chi_square, message),
    )  # fmt: skip


def _to_species(lifetimes: Array) -> Array:
    """Matrix (L, L) from decay-associated to species-associated spectra, lifetimes ascending; 0 below its diagonal."""
    rate = 1 / lifetimes
    return np.array([[np.prod(1 - each / rate[:state]) for each in rate] for state in range(rate.size)])


def _derivatives(lifetimes: Array, number: int, decay: Array) -> Array:
    """Change of the species-associated spectra (L E) with the logarithm of each lifetime, at given amplitudes."""
    columns = []
    for index in range(number):
        factor = np.ones(lifetimes.size)
        factor[index] = np.exp(STEP)
        change = _to_species(lifetimes * factor) - _to_species(lifetimes / factor)
        columns.append((change @ decay).ravel() / (2 * STEP))
    return np.stack(columns, axis=1)
