"""Quantities of energy scans as weighted sums of transients, to first order about what is expected."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.allocation.names import NamedQuantity, TargetError, parse_quantity
from reduction.allocation.predicted import PredictedGrid
from reduction.errors import ReductionError
from reduction.spectra.normalise import window_mean_weights

Array = NDArray[np.float64]
Grids = Sequence[PredictedGrid]

CLOSE = 0.02
"""Relative; how far a time after the pump may be from that of a slot that is meant."""
WHERE = ("edge", "delay")
AXES = {"mono_energy": "an energy scan", "laser_delay": "a delay scan", "laser_fluence": "a fluence scan"}


@dataclass(frozen=True)
class Linearised:
    """A quantity about its expected value.

    Attributes
    ----------
    value : float
    weights : mapping
        By the number of the grid, weights of its transients, shape (S, N).
    size : float, optional
        What relative errors refer to; the value by default.
    """

    value: float
    weights: Mapping[int, Array]
    size: float | None = None

    @property
    def scale(self) -> float:
        """What relative errors refer to."""
        return self.value if self.size is None else self.size


@dataclass(frozen=True)
class TargetQuantity:
    """A quantity by name.

    Attributes
    ----------
    name, unit : str
    linearised : callable
        Of the predicted grids, whose errors may determine the weights.
    """

    name: str
    unit: str
    linearised: Callable[[Grids], Linearised]

    def about(self, grids: Grids) -> Linearised:
        """Linearised about predicted grids.

        Raises
        ------
        ReductionError
            With the quantity, where a grid cannot be reduced.
        """
        try:
            return self.linearised(grids)
        except ReductionError as error:
            raise ReductionError(f"{self.name}: {error}") from error


Builder = Callable[[NamedQuantity, Grids], list[TargetQuantity]]


def grid_of(call: NamedQuantity, grids: Grids, axis: str) -> int:
    """Number of the grid that a quantity means.

    Raises
    ------
    TargetError
        If there is none, or several.
    """
    wanted = {name: call.options[name] for name in WHERE if name in call.options}
    found = [number for number, each in enumerate(grids) if each.grid.axis == axis and _has(each, wanted)]
    if len(found) == 1:
        return found[0]
    known = "; ".join(_described(each) for each in grids)
    what = "edge= or delay= to name one" if found else AXES[axis] + (" with that edge= and delay=" if wanted else "")
    raise TargetError(f"{call.text}: needs {what}; there is {known}")


def _has(each: PredictedGrid, wanted: Mapping[str, Any]) -> bool:
    return all(each.grid.labels.get(name) == value for name, value in wanted.items())


def _described(each: PredictedGrid) -> str:
    labels = ", ".join(f"{name}={value}" for name, value in each.grid.labels.items())
    return f"{AXES[each.grid.axis]} ({labels})" if labels else AXES[each.grid.axis]


def slot_of(call: NamedQuantity, grid: PredictedGrid) -> int:
    """Slot of a quantity, 0 by default.

    Raises
    ------
    TargetError
        If the grid has no such slot.
    """
    slot, slots = call.options.get("slot", 0), grid.grid.phases.size
    if not (isinstance(slot, int | float) and slot == int(slot) and 0 <= slot < slots):
        raise TargetError(f"{call.text}: slot must be a whole number from 0 to {slots - 1}")
    return int(slot)


def one_slot(grid: PredictedGrid, slot: int, weights: Array) -> Array:
    """Weights of one slot, shape (N,), among those of all, shape (S, N)."""
    result = np.zeros((grid.grid.phases.size, grid.grid.points))
    result[slot] = weights
    return result


def _on_spectrum(call: NamedQuantity, grids: Grids, options: Sequence[str] = ()) -> tuple[int, int]:
    call.only(0, ("slot", *WHERE, *options))
    number = grid_of(call, grids, "mono_energy")
    return number, slot_of(call, grids[number])


def transient(call: NamedQuantity, grids: Grids) -> list[TargetQuantity]:
    """``transient(slot=1, energy=13.472)``: at the point of the grid that is nearest."""
    number, slot = _on_spectrum(call, grids, ("energy",))
    energy, at = grids[number].grid.position, call.options.get("energy")
    if not isinstance(at, float) or not energy[0] <= at <= energy[-1]:
        raise TargetError(f"{call.text}: energy must be one from {energy[0]:g} to {energy[-1]:g} keV")
    return [_at(call.text, number, slot, int(np.abs(energy - at).argmin()), False)]


def spectrum(call: NamedQuantity, grids: Grids) -> list[TargetQuantity]:
    """``spectrum(slot=1)``: every point of the grid; relative errors refer to the largest transient."""
    number, slot = _on_spectrum(call, grids)
    energy = grids[number].grid.position
    return [_at(f"{call.text} at {one:g} keV", number, slot, index, True) for index, one in enumerate(energy)]


def _at(name: str, number: int, slot: int, index: int, of_spectrum: bool) -> TargetQuantity:
    def linearised(grids: Grids) -> Linearised:
        grid, value = grids[number], grids[number].transient[slot]
        unit = np.eye(grid.grid.points)[index]
        size = float(np.abs(value).max()) if of_spectrum else None
        return Linearised(float(value[index]), {number: one_slot(grid, slot, unit)}, size)

    return TargetQuantity(name, "", linearised)


def _of_slot(
    call: NamedQuantity, grids: Grids, linear: Callable[[PredictedGrid, int], tuple[float, Array]]
) -> list[TargetQuantity]:
    number, slot = _on_spectrum(call, grids)

    def linearised(grids: Grids) -> Linearised:
        value, weights = linear(grids[number], slot)
        return Linearised(value, {number: one_slot(grids[number], slot, weights)})

    return [TargetQuantity(call.text, "", linearised)]


def comparison_parameter(call: NamedQuantity, grids: Grids) -> list[TargetQuantity]:
    """``C(slot=0)``: mean over one window over that of another."""

    def linear(grid: PredictedGrid, slot: int) -> tuple[float, Array]:
        windows = grid.grid.model.get("comparison")
        if not windows:
            raise TargetError(f"{call.text}: the edge has no windows of C (comparison_main, comparison_pre)")
        main, pre = (_mean_over(grid.grid.position, window) for window in windows)
        value, below = grid.transient[slot], pre @ grid.transient[slot]
        if below == 0:
            raise TargetError(f"{call.text}: nothing is expected in the window of its denominator")
        ratio = float(main @ value / below)
        return ratio, (main - ratio * pre) / below

    return _of_slot(call, grids, linear)


def _mean_over(energy: Array, window: Sequence[float]) -> Array:
    low, high = window
    try:
        return window_mean_weights(energy, (low, high))
    except ReductionError:
        raise TargetError(f"no point of the grid lies between {low:g} and {high:g} keV") from None


def area(call: NamedQuantity, grids: Grids) -> list[TargetQuantity]:
    """``area(slot=1)``: absolute area under the transient, in its unit times eV."""

    def linear(grid: PredictedGrid, slot: int) -> tuple[float, Array]:
        at, value = 1e3 * grid.grid.position, grid.transient[slot]
        ends = np.concatenate([[at[0]], (at[1:] + at[:-1]) / 2, [at[-1]]])
        weights = np.sign(value) * np.diff(ends)
        return float(weights @ value), weights

    return _of_slot(call, grids, linear)


def amplitude(call: NamedQuantity, grids: Grids) -> list[TargetQuantity]:
    """``amplitude(slot=0)``: how much of the expected transient there is, by projection; ``theory_amplitude``: of the
    computed one."""
    name = "theory" if call.name == "theory_amplitude" else ""

    def linear(grid: PredictedGrid, slot: int) -> tuple[float, Array]:
        shape = np.asarray(grid.grid.model.get(name, ())) if name else grid.transient[slot]
        if shape.shape != grid.transient[slot].shape or not shape.any():
            raise TargetError(f"{call.text}: no {name or 'transient'} is expected, so that there is no shape")
        weights = _projecting(grid, slot, shape)
        return float(weights @ grid.transient[slot]), weights

    return _of_slot(call, grids, linear)


def _projecting(grid: PredictedGrid, slot: int, shape: Array) -> Array:
    """Weights of the projection on a shape: those of `reduction.spectra.normalise.projection`."""
    weighted = shape / grid.variance(grid.unit(slot)).total
    return np.asarray(weighted / (weighted @ shape))


def amplitude_ratio(call: NamedQuantity, grids: Grids) -> list[TargetQuantity]:
    """``amplitude_ratio(10.1 ns, 100 ps)``: of the transient at one time after the pump to that at another."""
    call.only(2, ("edge",))
    (first, slot), (second, other) = (_slot_at(call, grids, time) for time in call.arguments)

    def linearised(grids: Grids) -> Linearised:
        value, shape = grids[first].transient[slot], grids[second].transient[other]
        if value.shape != shape.shape or not shape.any():
            raise TargetError(f"{call.text}: both need the same grid of energies, and a transient in the second")
        weights = _projecting(grids[first], slot, shape)
        ratio = float(weights @ value)
        mine = one_slot(grids[first], slot, weights)
        others = one_slot(grids[second], other, -ratio * weights)
        return Linearised(ratio, {first: mine + others} if first == second else {first: mine, second: others})

    return [TargetQuantity(call.text, "", linearised)]


def _slot_at(call: NamedQuantity, grids: Grids, time: Any) -> tuple[int, int]:
    """Grid and slot of a time after the pump (ps)."""
    edge = {"edge": call.options["edge"]} if "edge" in call.options else {}
    known = [
        (abs(float(delay) - time), number, slot)
        for number, each in enumerate(grids)
        if each.grid.axis == "mono_energy" and each.grid.slot_delays is not None and _has(each, edge)
        for slot, delay in enumerate(each.grid.slot_delays)
        if isinstance(time, float)
    ]
    if not known or min(known)[0] > CLOSE * abs(time):
        raise TargetError(f"{call.text}: no slot of an energy scan sees the sample {time} ps after the pump")
    return min(known)[1:]


SPECTRAL: Mapping[str, Builder] = {
    "transient": transient, "spectrum": spectrum, "C": comparison_parameter, "area": area, "amplitude": amplitude,
    "theory_amplitude": amplitude, "amplitude_ratio": amplitude_ratio,
}  # fmt: skip


def built(text: str, grids: Grids, known: Mapping[str, Builder]) -> list[TargetQuantity]:
    """Quantities of a name: one, or one for each point of a spectrum.

    Raises
    ------
    TargetError
        Naming what is unknown.
    """
    call = parse_quantity(text)
    if call.name not in known:
        raise TargetError(f"{call.text}: unknown quantity {call.name}; known are {', '.join(sorted(known))}")
    return known[call.name](call, grids)
