"""How much of a computed transient is in a measured one, and which of several the data prefer.

Every model is a set of curves, one for each shift and width that are allowed. In combinations of energies whose noise
is independent and of variance 1 the chi-square of a model is least at the curve whose direction has the largest
component of the data. What several shifts and widths gain by chance is not computed but drawn: p-values come from the
same fits to noise, and to noise on the best curve of the other model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular

from reduction.errors import ReductionError
from reduction.statistics.quantiles import chi_square_p_value

Array = NDArray[np.float64]

FREE = 1e-9
"""Share of the largest variance below which a combination of energies is fixed by the normalisation."""
DRAWS = 4000
ROUNDS = 3
"""Of the covariance of a measured model, which is that of the data plus its own times the squared amplitude."""


@dataclass(frozen=True)
class Template:
    """Curves of one model.

    Attributes
    ----------
    name : str
    curves : ndarray, shape (K, E)
        For each allowed shift and width.
    parameters : ndarray, shape (K, P)
        Their values; P is the number of degrees of freedom that they take.
    covariance : ndarray, shape (E, E), optional
        Of a model that was measured itself.
    """

    name: str
    curves: Array
    parameters: Array
    covariance: Array | None = None


@dataclass(frozen=True)
class ModelFit:
    """A model in the data.

    Attributes
    ----------
    name : str
    amplitude, stddev : float
        Fraction of the sample in this state; mean over the allowed shifts and widths by their likelihoods.
    best : int
        Index of the most likely curve.
    parameters : ndarray, shape (P,)
        Its shift and width.
    chi_square : float
    dof : int
        Degrees of freedom: of the data less amplitude and parameters.
    presence : float
        p-value: how often noise alone holds as much of any of the curves.
    log_likelihood : float
        Largest, against that of no change at all.
    against_best : float
        p-value of this model: how often data of this model prefer the best one by as much as these; NaN for the best.
    """

    name: str
    amplitude: float
    stddev: float
    best: int
    parameters: Array
    chi_square: float
    dof: int
    presence: float
    log_likelihood: float
    against_best: float = float("nan")

    @property
    def p_value(self) -> float:
        return chi_square_p_value(self.chi_square, self.dof)


class _Whitened:
    """One model in combinations of energies with independent noise of variance 1."""

    def __init__(self, template: Template, basis: Array, variances: Array, nuisance: Array) -> None:
        self.template = template
        self.curves = basis.T @ template.curves.T
        own = np.zeros((variances.size,) * 2) if template.covariance is None else basis.T @ template.covariance @ basis
        self._data, self._own, self._nuisance = np.diag(variances), own, nuisance
        self._whiten(0.0)

    def _whiten(self, amplitude: float) -> None:
        self.root = cholesky(self._data + amplitude**2 * self._own, lower=True)
        self.determinant = 2 * float(np.log(np.diagonal(self.root)).sum())
        curves = solve_triangular(self.root, self.curves, lower=True)
        if self._nuisance.shape[1]:
            free, _ = np.linalg.qr(solve_triangular(self.root, self._nuisance, lower=True))
        else:
            free = np.zeros((len(self.root), 0))
        self._free = free
        curves = curves - free @ (free.T @ curves)
        self.length = np.linalg.norm(curves, axis=0)
        if not (self.length > 0).all():
            raise ReductionError(f"model {self.template.name}: a curve without any change of the spectrum")
        self.directions = curves / self.length

    def adapt(self, y: Array) -> None:
        """Add the noise of a measured model, which grows with its amplitude."""
        for _ in range(ROUNDS if self._own.any() else 0):
            z = self.components(y)[0]
            self._whiten(float(z.max() / self.length[z.argmax()]))

    def _clean(self, y: Array) -> Array:
        x = solve_triangular(self.root, y, lower=True)
        return np.asarray(x - self._free @ (self._free.T @ x))

    def components(self, y: Array) -> tuple[Array, Array]:
        """Components along the curves, shape (K, ...), and squared lengths, shape (...)."""
        x = self._clean(y)
        return self.directions.T @ x, (x**2).sum(axis=0)

    def deviance_of_nothing(self, y: Array) -> float:
        """As `deviance`, without the model."""
        return float(self.components(y)[1]) + self.determinant

    def deviance(self, y: Array) -> Array:
        """Minus twice the largest logarithm of the likelihood, for data y of shape (N, ...)."""
        z, squares = self.components(y)
        return np.asarray(squares + self.determinant - np.maximum(z.max(axis=0), 0.0) ** 2)


def fit_models(
    value: Array, covariance: Array, templates: Sequence[Template], nuisance: Array | None = None, draws: int = DRAWS
) -> list[ModelFit]:
    """Fit each model to a transient, and compare them.

    Parameters
    ----------
    value : ndarray, shape (E,)
        Transient, in edge integrals.
    covariance : ndarray, shape (E, E)
    templates : sequence of Template
    nuisance : ndarray, shape (E, N), optional
        Curves of which any amount may be in the data.
    draws : int
        Of noise, for the p-values; the same ones each time.

    Returns
    -------
    list of ModelFit
        In the order of the templates. The best one has the largest likelihood.

    Raises
    ------
    ReductionError
        If there is no model, values are not finite, or a model changes nothing.
    """
    if not templates:
        raise ReductionError("no model to fit")
    if not (np.isfinite(value).all() and np.isfinite(covariance).all()):
        raise ReductionError("the transient or its covariance is not finite at some energies")
    variances, vectors = np.linalg.eigh(covariance)
    kept = variances > FREE * variances[-1]
    basis, variances = vectors[:, kept], variances[kept]
    extra = np.zeros((value.size, 0)) if nuisance is None else nuisance
    y = basis.T @ value
    models = [_Whitened(template, basis, variances, basis.T @ extra) for template in templates]
    nothing = models[0].deviance_of_nothing(y)
    for model in models:
        model.adapt(y)
    noise = np.random.default_rng(0).standard_normal((y.size, draws))
    found = [_fit(model, y, noise, extra.shape[1], nothing) for model in models]
    deviances = [float(model.deviance(y)) for model in models]
    best = int(np.argmin(deviances))
    return [
        fit
        if number == best
        else _compared(fit, models[number], models[best], deviances[number] - deviances[best], noise)
        for number, fit in enumerate(found)
    ]


def _fit(model: _Whitened, y: Array, noise: Array, extra: int, nothing: float) -> ModelFit:
    z, squares = model.components(y)
    best = int(np.argmax(z))
    likelihood = np.exp(0.5 * (np.sign(z) * z**2 - np.sign(z[best]) * z[best] ** 2))
    weight, each = likelihood / likelihood.sum(), z / model.length
    mean = float(weight @ each)
    stddev = float(np.sqrt(weight @ (model.length**-2 + (each - mean) ** 2)))
    by_chance = (model.directions.T @ noise).max(axis=0)
    parameters = model.template.parameters
    return ModelFit(
        model.template.name, mean, stddev, best, parameters[best], float(squares - z[best] ** 2),
        y.size - extra - 1 - parameters.shape[1], _fraction(by_chance >= z[best]),
        0.5 * (nothing - float(model.deviance(y))),
    )  # fmt: skip


def _compared(fit: ModelFit, model: _Whitened, best: _Whitened, difference: float, noise: Array) -> ModelFit:
    """The p-value of a model against the best one: the same comparison, in data drawn from this model."""
    amplitude = max(fit.amplitude, 0.0)
    drawn = amplitude * model.curves[:, fit.best][:, None] + model.root @ noise
    by_chance = model.deviance(drawn) - best.deviance(drawn)
    return replace(fit, against_best=_fraction(by_chance >= difference))


def _fraction(found: NDArray[np.bool_]) -> float:
    """Of draws, with the data as one more, so that it is never 0."""
    return float((1 + np.count_nonzero(found)) / (1 + found.size))
