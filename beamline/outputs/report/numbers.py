"""The numbers of a result as table rows: value, error and remark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from beamline.formatting import format_delay, ratio_interval
from beamline.outputs.export.about import absorption_edge, edge_energy
from beamline.outputs.export.csv_file import format_fit
from beamline.outputs.export.result import Result
from beamline.outputs.maps.content import component_sentence, map_of_results, shape_sentence
from reduction.documents.raw import DELAY_AXIS
from reduction.errors import ReductionError
from reduction.maps.components import components_of
from reduction.maps.shapes import shape_change
from reduction.spectra.amplitudes import area
from reduction.spectra.ratios import comparison_where_known
from reduction.traces.linear_range import saturation

FEWEST_FOR_A_LINE = 5
NULL_TEST = (
    "contains no signal; 1 is counting noise alone; an interval above 1 means that jet, beam or sample scatter by"
    " more than the counting errors"
)


@dataclass(frozen=True)
class Quantity:
    """One quantity: its name, value with error, and a remark."""

    name: str
    value: str
    remark: str = ""


def numbers_of(result: Result, diagnostics: Mapping[str, Any]) -> list[Quantity]:
    """All numbers of a result.

    Parameters
    ----------
    result : Result
    diagnostics : mapping
        Data of the stream `honesty`; empty without one.
    """
    of_detectors = list(_of_detectors(result))
    if "energy" in result.data and not result.slots():
        return [*_of_static(result), *of_detectors]
    if "energy" in result.data:
        found = [*_until_failure(_of_slots(result)), *_until_failure(_of_map(result)), *_scatter(diagnostics)]
        return [*found, *of_detectors]
    if result.axis == DELAY_AXIS:
        if result.fit is None:
            return [Quantity("kinetics of slot 0", "not fitted"), *of_detectors]
        return [Quantity("kinetics of slot 0", format_fit(result.fit)), *of_detectors]
    return [*_until_failure(_of_fluence(result)), *of_detectors]


def _of_static(result: Result) -> Iterator[Quantity]:
    """Of a spectrum without the laser."""
    rows = result.rows("static", "static_stddev")
    error = float(np.sqrt(np.mean(np.asarray(result.data["static_stddev"], dtype=np.float64)[rows] ** 2)))
    yield Quantity("laser off: half of the maximum at", f"{edge_energy(result):.4f} keV")
    yield Quantity("laser off: error of a point", f"{100 * error:.3f} %", "root mean square, in edge integrals")


def _of_detectors(result: Result) -> Iterator[Quantity]:
    """Share of each of several detectors, and their agreement."""
    found = result.detectors
    for name, share in found.share.items():
        error, combined = _error_of_slot_0(found.each.get(name, {})), _error_of_slot_0(result.data)
        with np.errstate(invalid="ignore"):
            ratio = np.sqrt(np.nanmean(error**2) / np.nanmean(combined**2)) if np.isfinite(error).any() else np.nan
        of_what = "slot 0" if result.slots() else "the spectrum"
        remark = f"its error of {of_what} is {ratio:.2f} of that of the combination" if np.isfinite(ratio) else ""
        yield Quantity(f"detector {name}: share", f"{100 * share:.0f} %" if share else "left out", remark)
    for quantity, (chi_square, freedom, p_value) in found.agreement.items():
        numbers = f"chi-square {chi_square:.1f} with {freedom} degrees of freedom"
        yield Quantity(f"agreement of detectors, {quantity}: p-value", f"{p_value:.2g}", numbers)
    for name, data in found.analogue.items():
        yield Quantity(f"detector {name}", _number_of(data), str(data["notes"]))


def _error_of_slot_0(data: Mapping[str, Any]) -> Any:
    """Errors of the first transient; of a spectrum without the laser, those of the spectrum; NaN without a result."""
    if "transient_stddev" in data:
        return np.asarray(data["transient_stddev"], dtype=np.float64)[0]
    return np.asarray(data.get("static_stddev", [np.nan]), dtype=np.float64)


def _number_of(data: Mapping[str, Any]) -> str:
    """What the result of an analogue detector is made of."""
    return f"{int(data['calibrated'])} passes" if "calibrated" in data else f"{int(data.get('pairs', 0))} pairs"


def _until_failure(numbers: Iterator[Quantity]) -> Iterator[Quantity]:
    """Yield numbers until the data fail, then the reason."""
    try:
        yield from numbers
    except ValueError as error:
        yield Quantity("further numbers", "none", str(error))


def percent(value: float, stddev: float) -> str:
    """A fraction and its standard deviation in per cent."""
    return f"({100 * value:+.3f} +- {100 * stddev:.3f}) %"


def _of_slots(result: Result) -> Iterator[Quantity]:
    energy = np.asarray(result.data["energy"], dtype=np.float64)
    edge = absorption_edge(result.start)
    for slot in result.slots():
        transient = np.asarray(result.data["transient"], dtype=np.float64)[slot]
        stddev = np.asarray(result.data["transient_stddev"], dtype=np.float64)[slot]
        covariance = result.covariance(slot)
        name = f"slot {slot}, {format_delay(round(result.slot_delays[slot], 1))}"
        at = _feature(energy, transient, edge.get("main_feature"))
        value = percent(transient[at], stddev[at])
        largest = "" if "main_feature" in edge else "the largest of this scan, "
        yield Quantity(
            f"{name}: transient at {energy[at]:.4f} keV", value, f"{largest}{transient[at] / stddev[at]:+.1f} sigma"
        )
        if "comparison_main" in edge:
            windows = edge["comparison_main"], edge["comparison_pre"]
            yield _comparison(name, energy, transient, covariance, windows)
        found = area(energy, transient, covariance)
        yield Quantity(
            f"{name}: absolute area",
            f"{found.value:.4f} +- {found.stddev:.4f} eV",
            f"signal {found.signal:.4f} +- {found.signal_stddev:.4f} eV, noise adds {found.noise:.4f} eV; "
            f"scaled by x{found.factor:.3g} in the figure",
        )


def _feature(energy: Any, transient: Any, main: float | None) -> int:
    """Index of the point at the main feature, or of the largest transient if there is none."""
    if main is None:
        return int(np.nanargmax(np.abs(transient)))
    return int(np.nanargmin(np.where(np.isfinite(transient), abs(energy - main), np.nan)))


def _comparison(name: str, energy: Any, transient: Any, covariance: Any, windows: tuple[Any, Any]) -> Quantity:
    """C with its 68 % Fieller set, or the reason that there is none."""
    try:
        found = comparison_where_known(energy, transient, covariance, *windows)
    except ValueError as error:
        return Quantity(f"{name}: C", "none", str(error))
    range_of = ratio_interval(found.low, found.high, found.bounded)
    if not np.isnan(found.low):
        range_of += " (Fieller)"
    main, before = ("{:g} to {:g} keV".format(*window) for window in windows)
    meaning = f"sum of the transient over {main} / over {before}: its shape, whatever its size"
    return Quantity(f"{name}: C", f"{found.value:.2f}", f"{range_of}; {meaning}")


def _of_map(result: Result) -> Iterator[Quantity]:
    """Components of all slots together, and whether the shape changes from slot to slot."""
    try:
        found = map_of_results([result])
        components = components_of(found)
    except ReductionError as error:
        yield Quantity("components of all slots", "none", str(error))
        return
    yield Quantity("components of all slots", str(components.number), component_sentence(components))
    try:
        shapes = shape_change(found)
    except ReductionError as error:
        yield Quantity("change of shape", "none", str(error))
        return
    yield Quantity("change of shape: p-value", f"{shapes.p_value:.2g}", shape_sentence(shapes))


def _scatter(diagnostics: Mapping[str, Any]) -> Iterator[Quantity]:
    """Scatter of the passes over counting (the over-dispersion), and the null test."""
    for slot, (ratio, low, high, dof, _) in enumerate(np.asarray(diagnostics.get("scatter", [])).reshape(-1, 5)):
        if np.isfinite(ratio):
            low, high = np.sqrt([low, high])
            remark = f"95 %: {low:.2f} to {high:.2f}, {dof:.0f} degrees of freedom; 1 is counting alone"
            yield Quantity(f"slot {slot}: scatter of passes over counting error", f"{np.sqrt(ratio):.2f}", remark)
    null = np.asarray(diagnostics.get("off_off", [np.nan]), dtype=np.float64)
    if np.isfinite(null[0]):
        low, high = np.sqrt(null[1:3])
        remark = f"95 %: {low:.2f} to {high:.2f}; {NULL_TEST}"
        yield Quantity(
            "null test, laser off against off: scatter over counting error", f"{np.sqrt(null[0]):.2f}", remark
        )


def _of_fluence(result: Result) -> Iterator[Quantity]:
    rows = np.asarray(result.data["used"]).astype(bool)
    fluence = np.asarray(result.data["laser_fluence"], dtype=np.float64)[rows]
    value = np.asarray(result.data["transient"], dtype=np.float64)[0][rows]
    covariance = result.covariance(0)[np.ix_(rows, rows)]
    if fluence.size < FEWEST_FOR_A_LINE:
        yield Quantity("line through slot 0", "none", f"{fluence.size} fluences are too few")
        return
    found = saturation(fluence, value, covariance)
    line = found.initial
    low, high = line.slope_interval()
    quality = f"chi-square {line.chi_square:.1f} with {line.dof} degrees of freedom"
    yield Quantity(
        "initial slope of slot 0, per mJ/cm2", percent(line.slope, line.slope_stddev),
        f"68 %: {100 * low:.4f} to {100 * high:.4f} %; of a line that may bend anywhere; {quality}",
    )  # fmt: skip
    yield Quantity("intercept of slot 0", percent(line.intercept, line.intercept_stddev))
    yield Quantity("linear up to", f"{found.linear_up_to:.2f} mJ/cm2")
    if np.isfinite(found.saturates_at):
        low, high = found.interval
        remark = f"68 %: {low:.1f} to {high:.1f}; a bend is better by {found.significance:.1f} sigma"
        yield Quantity("line and plateau meet at", f"{found.saturates_at:.1f} mJ/cm2", remark)
