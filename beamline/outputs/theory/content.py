"""A result and the computed spectra that a TOML file names: shift, static spectra, amplitudes, and which model fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from beamline.formatting import format_delay
from beamline.outputs.comparison.content import curve_of, name_of, transient_of
from beamline.outputs.export.about import absorption_edge
from beamline.outputs.export.errors import ExportError
from beamline.outputs.export.result import Result
from beamline.records.theory.description import Theory
from beamline.records.theory.files import MeasuredDifference, read_measured, read_state
from reduction.errors import ReductionError
from reduction.settings import Settings
from reduction.spectra.normalise import normalised_alone
from reduction.spectra.overlay import SpectrumCurve
from reduction.theory.average import ComputedSpectrum
from reduction.theory.broadening import Width
from reduction.theory.fit import DRAWS, ModelFit, Template, fit_models
from reduction.theory.placed import Placed, differences, normalised, place

Array = NDArray[np.float64]

EV = 1e3
LARGEST = 4e-3
"""keV; of the shift of the ground state against the rough search."""


@dataclass(frozen=True)
class States:
    """What the files hold: the ground state, and each model computed or measured."""

    ground: ComputedSpectrum
    models: Mapping[str, ComputedSpectrum | MeasuredDifference]


@dataclass(frozen=True)
class Beside:
    """Computed spectra beside a result.

    Attributes
    ----------
    result : Result
    slot : int
        Whose transient is fitted.
    theory : Theory
    placed : Placed
        Measured laser-off spectrum and the shift of the computed ones.
    ground : ndarray, shape (E,)
        Computed ground state, in edge integrals.
    excited : mapping of str to ndarray, shape (E,)
        Computed states at the best shift and width of their fits.
    transient : SpectrumCurve
        Measured.
    differences : mapping of str to ndarray, shape (E,)
        Of a sample that is wholly in the state of each model.
    fits : tuple of ModelFit
    """

    result: Result
    slot: int
    theory: Theory
    placed: Placed
    ground: Array
    excited: Mapping[str, Array]
    transient: SpectrumCurve
    differences: Mapping[str, Array]
    fits: tuple[ModelFit, ...]


def read_states(theory: Theory, folder: Path) -> States:
    """Read all files that a theory names.

    Raises
    ------
    beamline.records.theory.errors.TheoryError
    """
    models: dict[str, ComputedSpectrum | MeasuredDifference] = {}
    for name, spectra in theory.models.items():
        if spectra.measured:
            models[name] = read_measured(folder / spectra.measured)
        else:
            models[name] = read_state(spectra, folder, theory.zero)
    return States(read_state(theory.ground, folder, theory.zero), models)


def beside(result: Result, theory: Theory, states: States, slot: int = 0, draws: int = DRAWS) -> Beside:
    """Fit the models of a theory to the transient of a slot; `draws` of noise give the p-values.

    Raises
    ------
    ExportError
        If the result is no spectrum of this edge, has no such transient, or the spectra cannot be aligned.
    """
    edge = str(result.start.get("edge"))
    if "energy" not in result.data:
        raise ExportError(f"run {result.start['uid'][:8]} is a scan of {result.axis}: computed spectra need a spectrum")
    if edge != theory.edge:
        raise ExportError(f"{name_of(result)} is {edge}, the computed spectra are {theory.edge}")
    transient = transient_of(result, slot)
    if transient is None:
        raise ExportError(f"{name_of(result)} has no transient in slot {slot}")
    settings = Settings.from_mapping(result.start["settings"])
    width = Width(**theory.broadening.model_dump())
    e0 = float(absorption_edge(result.start).get("e0", np.nan))
    try:
        static = normalised_static(result, settings)
        placed = place(static, states.ground, width, settings, e0, LARGEST)
        return _fitted(result, slot, theory, states, placed, width, transient, draws)
    except (ReductionError, np.linalg.LinAlgError) as error:
        raise ExportError(f"{name_of(result)} and the computed spectra: {error}") from error


def normalised_static(result: Result, settings: Settings) -> SpectrumCurve:
    """The laser-off spectrum in edge integrals, with variances."""
    curve = curve_of(result)
    value, stddev = normalised_alone(curve.value, curve.covariance, curve.energy, settings)
    return SpectrumCurve(curve.energy, value, stddev**2)


def _fitted(
    result: Result, slot: int, theory: Theory, states: States, placed: Placed, width: Width, transient: SpectrumCurve,
    draws: int,
) -> Beside:  # fmt: skip
    there = transient.on(placed.energy)
    templates = templates_of(states, theory, placed, width)
    nuisance = None if placed.whole else placed.static[:, None]
    fits = fit_models(there.value, there.full(), templates, nuisance, draws)
    excited = {}
    for fit in fits:
        state = states.models[fit.name]
        if isinstance(state, ComputedSpectrum):
            by, factor = fit.parameters
            excited[fit.name] = normalised(state, wider(width, float(factor)), placed, float(by))
    return Beside(
        result, slot, theory, placed, normalised(states.ground, width, placed), excited, there,
        {fit.name: template.curves[fit.best] for fit, template in zip(fits, templates, strict=True)}, tuple(fits),
    )  # fmt: skip


def wider(width: Width, factor: float) -> Width:
    """All widths times a factor."""
    return Width(factor * width.start, factor * width.most, width.centre, factor * width.rise)


def templates_of(states: States, theory: Theory, placed: Placed, width: Width) -> list[Template]:
    """Curves of all models at all shifts and widths that the theory allows; a measured one has neither."""
    allowed = theory.allowed
    shifts = np.linspace(-allowed.shift, allowed.shift, allowed.shifts) / EV if allowed.shifts > 1 else np.zeros(1)
    factors = np.linspace(allowed.narrowest, allowed.widest, allowed.widths) if allowed.widths > 1 else np.ones(1)
    tried = np.array(list(product(shifts, factors)))
    at = [(wider(width, float(factor)), float(by)) for by, factor in tried]
    computed = {name: state for name, state in states.models.items() if isinstance(state, ComputedSpectrum)}
    curves = dict(zip(computed, differences([*computed.values()], states.ground, at, placed), strict=True))
    found = []
    for name, state in states.models.items():
        if isinstance(state, MeasuredDifference):
            found.append(measured_template(name, state, placed))
        else:
            found.append(Template(name, curves[name], tried))
    return found


def measured_template(name: str, state: MeasuredDifference, placed: Placed) -> Template:
    """The curve of a model that was measured.

    Raises
    ------
    ReductionError
        If it does not cover all energies.
    """
    low, high = placed.energy[0], placed.energy[-1]
    if not state.energy[0] <= low < high <= state.energy[-1]:
        raise ReductionError(f"model {name} does not cover {low:.4f}-{high:.4f} keV")
    there = SpectrumCurve(state.energy, state.value, state.stddev**2).on(placed.energy)
    return Template(name, there.value[None, :], np.zeros((1, 0)), there.covariance)


def sentences(found: Beside) -> list[str]:
    """The numbers in words."""
    shift, placed = found.placed.shift, found.placed
    delay = format_delay(round(found.result.slot_delays[found.slot], 1))
    lines = [
        f"{name_of(found.result)}, slot {found.slot} at {delay}: {placed.energy.size} energies",
        f"zero of the computed energies at {shift.value:.6f} +- {shift.stddev:.6f} keV (criterion of the passes)",
    ]
    if not placed.whole:
        lines.append(
            f"the computed spectra end at {placed.energy[-1]:.4f} keV: energies above are left out, and any amount of"
            " the static spectrum is allowed in the transient, since its normalisation is not known there"
        )
    best = max(found.fits, key=lambda fit: fit.log_likelihood)
    return [*lines, *(_of_model(fit, best) for fit in found.fits)]


def _of_model(fit: ModelFit, best: ModelFit) -> str:
    at = (
        f", at {EV * fit.parameters[0]:+.2f} eV and {fit.parameters[1]:.2f} times the width"
        if fit.parameters.size
        else ""
    )
    agreement = f"chi-square {fit.chi_square:.1f} with {fit.dof} degrees of freedom, p-value {fit.p_value:.2g}"
    text = f"{fit.name}: fraction {fit.amplitude:.4f} +- {fit.stddev:.4f}{at}; {agreement}"
    text += f"; by chance as much: p-value {fit.presence:.2g}"
    if fit is best:
        return f"{text}; the most likely model"
    ratio = fit.log_likelihood - best.log_likelihood
    return f"{text}; likelihood against {best.name} exp({ratio:.1f}), p-value {fit.against_best:.2g}"
