"""Results as one map of transients over energy and delay, and what is computed from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beamline.formatting import format_delay
from beamline.outputs.export.errors import ExportError
from beamline.outputs.export.result import Result
from reduction.documents.covariances import covariance_between, covariance_of_slot, slots_with_common
from reduction.documents.raw import DELAY_AXIS, ENERGY_AXIS
from reduction.errors import ReductionError
from reduction.maps.associated import AssociatedSpectra, associated_spectra
from reduction.maps.components import Components, components_of
from reduction.maps.shapes import ShapeChange, shape_change
from reduction.maps.transient_map import SlotSpectra, TransientMap, map_of_spectra, map_of_traces

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Views:
    """A map with its components, shapes and associated spectra; what is not possible is None, with the reason."""

    map: TransientMap
    components: Components
    shapes: ShapeChange | None
    associated: AssociatedSpectra | None
    why_not: tuple[str, ...]


def views_of(
    found: TransientMap,
    early: float | None = None,
    late: float | None = None,
    num_lifetimes: int | None = None,
    tail: str | None = None,
) -> Views:
    """Everything that is computed from a map.

    Parameters
    ----------
    found : TransientMap
    early, late : float, ps, optional
        Delays whose shapes are compared, the nearest of the map; default as in `shape_change`.
    num_lifetimes, tail
        As in `associated_spectra`.

    Raises
    ------
    reduction.errors.ReductionError
        If the covariance of the map cannot be inverted.
    """
    why_not: list[str] = []
    shapes = associated = None
    try:
        shapes = shape_change(found, _nearest(found, early), _nearest(found, late))
    except ReductionError as error:
        why_not.append(f"shapes are not compared: {error}")
    try:
        associated = associated_spectra(found, num_lifetimes, tail)
    except ReductionError as error:
        why_not.append(f"no associated spectra: {error}")
    return Views(found, components_of(found), shapes, associated, tuple(why_not))


def _nearest(found: TransientMap, delay: float | None) -> int | None:
    return None if delay is None else int(np.argmin(np.abs(found.delay - delay)))


def map_of_results(results: Sequence[Result], slots: Sequence[int] | None = None) -> TransientMap:
    """The map of energy scans at one or more delays, or of delay scans at several energies.

    Parameters
    ----------
    results : sequence of Result
    slots : sequence of int, optional
        Slots of energy scans; default: all. Delay scans give slot 0.

    Raises
    ------
    ExportError
        If the results are not of one kind, edge and sample.
    reduction.errors.ReductionError
        If they make no map.
    """
    for what in ("scan_axis", "edge", "sample", "mode"):
        values = {result.axis if what == "scan_axis" else str(result.start.get(what)) for result in results}
        if len(values) > 1:
            raise ExportError(f"a map has one {what}, not {', '.join(sorted(values))}: choose among the scans")
    if results and results[0].axis == DELAY_AXIS:
        return map_of_traces([_probe_energy(each) for each in results], [_trace(each.data) for each in results])
    if results and results[0].axis != ENERGY_AXIS:
        raise ExportError("a map is of energy scans, or of delay scans at several energies")
    return map_of_spectra([slot_spectra(each.data, each.slot_delays, slots) for each in results])


def slot_spectra(data: Mapping[str, Any], delays: Sequence[float], slots: Sequence[int] | None = None) -> SlotSpectra:
    """Transients of an energy scan, from the event of its stream `spectrum`."""
    if unknown := [slot for slot in slots or () if not 0 <= slot < len(delays)]:
        raise ExportError(f"there is no slot {unknown[0]}; the scan has slots 0 to {len(delays) - 1}")
    if not np.isfinite(data.get("transient", np.nan)).any():
        raise ReductionError("a map is of transients, and a scan without the laser has none")
    if not (there := slots_with_common(data)):
        raise ReductionError(
            f"{len(delays)} slots of {np.size(data['energy'])} energies have no covariance between them: it would be "
            "too large; export them instead"
        )
    chosen = there if slots is None else list(slots)
    if missing := [slot for slot in chosen if slot not in there]:
        listed = ",".join(map(str, there))
        raise ReductionError(
            f"slot {missing[0]} has no covariance with the others: of {len(delays)} slots, a map can have {listed}"
            " (--slots)"
        )
    energy, transient = (np.asarray(data[name], dtype=np.float64) for name in ("energy", "transient"))
    return SlotSpectra(np.asarray(delays)[chosen], energy, transient[chosen], covariance_between(data, chosen))


def _trace(data: Mapping[str, Any]) -> tuple[Array, Array, Array]:
    """Slot 0 of a delay scan without its first point before time zero: the mean of all of them is 0."""
    chosen, before = np.asarray(data["used"]) == 1, np.asarray(data["before_zero"]) == 1
    chosen[np.flatnonzero(chosen & before)[: int(np.isfinite(data["offset"][0]))]] = False
    value = np.where(chosen, np.asarray(data["transient"], dtype=np.float64)[0], np.nan)
    return np.asarray(data[DELAY_AXIS], dtype=np.float64), value, covariance_of_slot(data, 0)


def _probe_energy(result: Result) -> float:
    try:
        return float(result.start["probe_energy"])
    except KeyError:
        raise ExportError(f"delay scan {result.start['uid'][:8]} does not record its energy") from None


def sentences(views: Views) -> list[str]:
    """Components, shapes and lifetimes, a sentence each."""
    shapes = [shape_sentence(views.shapes)] if views.shapes else []
    fit = [_associated_sentence(views.associated)] if views.associated else []
    return [component_sentence(views.components), *shapes, *fit, *views.why_not]


def component_sentence(found: Components) -> str:
    """How many components are significant, and the p-values."""
    number = f"at least {found.number}" if found.number == len(found.p_value) else str(found.number)
    tests = ", ".join(f"{rank} {p_value:.2g}" for rank, p_value in enumerate(found.p_value))
    return f"{number} significant component{'s' * (found.number != 1)} (p-value of noise beyond {tests})"


def shape_sentence(found: ShapeChange) -> str:
    """Whether the late shape differs from the early one."""
    early, late = format_delay(round(found.early, 1)), format_delay(round(found.late, 1))
    return (
        f"shapes at {early} and {late}: chi-square {found.chi_square:.1f} for {found.dof} degrees of freedom, p-value"
        f" {found.p_value:.2g}; if they are the same, the late one is {found.scale:.3f} +- {found.scale_stddev:.3f} of"
        " the early one"
    )


def _associated_sentence(found: AssociatedSpectra) -> str:
    lifetimes = ", ".join(
        f"{lifetime:.4g} +- {stddev:.2g} ps" if np.isfinite(lifetime) else "offset"
        for lifetime, stddev in zip(found.lifetimes, found.lifetimes_stddev, strict=True)
    )
    quality = f"chi-square {found.chi_square:.1f} for {found.dof} degrees of freedom, p-value {found.p_value:.2g}"
    return " ".join([f"global fit: {lifetimes}; {quality}.", *found.notes])
