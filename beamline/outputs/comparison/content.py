"""What two results have in common and how they differ."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from beamline.formatting import format_delay
from beamline.outputs.export.about import absorption_edge
from beamline.outputs.export.errors import ExportError
from beamline.outputs.export.result import Result
from reduction.counting.kernels import OFF
from reduction.errors import ReductionError
from reduction.settings import Settings
from reduction.spectra.align import EnergyShift
from reduction.spectra.overlay import (
    DifferenceTest,
    Overlay,
    ShapeAgainst,
    SpectrumCurve,
    overlay,
    shape_against,
    shift_between,
)

EV = 1e3
Z95 = 1.959963984540054
"""Half of the 95 % interval of a normal distribution, in standard deviations."""


@dataclass(frozen=True)
class SideBySide:
    """Two results on one scale.

    Attributes
    ----------
    one, other : Result
    spectra : Overlay
        Laser off.
    scale : str
        By what both are divided, in words.
    shift : EnergyShift or str
        Of the first above the other, or why it is not known.
    transients : tuple of SpectrumCurve
        Of the chosen slots, in edge integrals of their own results; empty unless both have one.
    shape : ShapeAgainst or str
        Of the first transient against the other's, or why not.
    slots : tuple of int
    """

    one: Result
    other: Result
    spectra: Overlay
    scale: str
    shift: EnergyShift | str
    transients: tuple[SpectrumCurve, ...]
    shape: ShapeAgainst | str
    slots: tuple[int, int]

    @property
    def names(self) -> tuple[str, str]:
        """Short names of both results."""
        return name_of(self.one), name_of(self.other)


def name_of(result: Result) -> str:
    """Sample and run, and whether it is simulated."""
    sim = ", SIMULATED" if result.simulated else ""
    return f"{result.start.get('sample', '')} {result.start['uid'][:8]}{sim}".strip()


def compare_results(
    one: Result, other: Result, edge_step: bool = False, slots: tuple[int, int] = (0, 0), largest_shift: float = 5e-3
) -> SideBySide:
    """Compare two energy scans of one edge.

    Parameters
    ----------
    one, other : Result
    edge_step : bool
        Divide by the edge step (Larch's `pre_edge`) instead of by the edge integral.
    slots : tuple of int
        Whose transients are compared.
    largest_shift : float
        keV.

    Raises
    ------
    ExportError
        If they are not spectra of one edge, or have too little in common.
    """
    for result in (one, other):
        if "energy" not in result.data:
            raise ExportError(f"run {result.start['uid'][:8]} is a scan of {result.axis}: only spectra are compared")
    if one.start.get("edge") != other.start.get("edge"):
        raise ExportError(
            f"{name_of(one)} is {one.start.get('edge')}, {name_of(other)} {other.start.get('edge')}: two edges"
        )
    e0 = float(absorption_edge(one.start).get("e0", np.nan))
    settings = common_windows(one, other)
    try:
        spectra = overlay(curve_of(one), curve_of(other), settings, e0 if edge_step else None)
    except ReductionError as error:
        raise ExportError(f"{name_of(one)} and {name_of(other)}: {error}") from error
    except ImportError as error:
        raise ExportError(
            f"the edge step is that of Larch, which is not installed here ({error}); install the extra 'files' of this"
            " package, or leave out --edge-step"
        ) from error
    transients = tuple(
        curve for result, slot in zip((one, other), slots, strict=True) if (curve := transient_of(result, slot))
    )
    shift = _shift(curve_of(one), curve_of(other), settings, e0, largest_shift)
    return SideBySide(
        one, other, spectra, _scale(settings, edge_step), shift,
        transients if len(transients) == 2 else (), _shape(transients), slots,
    )  # fmt: skip


def curve_of(result: Result) -> SpectrumCurve:
    """The laser-off spectrum before normalisation."""
    used = np.asarray(result.data["used"]).astype(bool)
    rate = np.asarray(result.data["rate"], dtype=np.float64)[OFF]
    variance = np.asarray(result.data["rate_covariance"], dtype=np.float64)[OFF].sum(axis=(0, 1)) / len(rate) ** 2
    value = rate.mean(axis=0)
    good = used & np.isfinite(value) & np.isfinite(variance)
    return SpectrumCurve(np.asarray(result.data["energy"], dtype=np.float64)[good], value[good], variance[good])


def transient_of(result: Result, slot: int) -> SpectrumCurve | None:
    """The transient of a slot in edge integrals; None if it has none."""
    if slot not in result.slots():
        return None
    value = np.asarray(result.data["transient"], dtype=np.float64)[slot]
    good = np.isfinite(value)
    covariance = result.covariance(slot)[np.ix_(good, good)]
    return SpectrumCurve(np.asarray(result.data["energy"], dtype=np.float64)[good], value[good], covariance)


def common_windows(*results: Result) -> Settings:
    """Windows of offset and edge integral that lie in all spectra.

    Raises
    ------
    ExportError
        If they have none in common.
    """
    settings = [Settings.from_mapping(result.start["settings"]) for result in results]
    energies = [curve_of(result).energy for result in results]
    low, high = max(each[0] for each in energies), min(each[-1] for each in energies)
    pre = max(low, *(each.pre_edge[0] for each in settings)), min(each.pre_edge[1] for each in settings)
    integral = max(each.integral[0] for each in settings), min(high, *(each.integral[1] for each in settings))
    try:
        return replace(settings[0], pre_edge=pre, integral=integral)
    except ValueError as error:
        raise ExportError(
            f"{' and '.join(map(name_of, results))} have no windows in common ({error}); reduce one with others"
            " (trxas reduce --set pre_edge=...)"
        ) from error


def _scale(settings: Settings, edge_step: bool) -> str:
    pre, integral = ("{:.4f}-{:.4f} keV".format(*window) for window in (settings.pre_edge, settings.integral))
    if edge_step:
        return f"both over their edge step (larch.xafs.pre_edge, line {pre})"
    return f"both over their edge integral {integral}, less a line through {pre}"


def _shift(
    one: SpectrumCurve, other: SpectrumCurve, settings: Settings, e0: float, largest: float
) -> EnergyShift | str:
    try:
        return shift_between(one, other, settings, e0, largest)
    except (ReductionError, np.linalg.LinAlgError) as error:
        return str(error)


def _shape(transients: tuple[SpectrumCurve, ...]) -> ShapeAgainst | str:
    if len(transients) < 2:
        return "not both have a transient in these slots"
    try:
        return shape_against(*transients)
    except (ReductionError, np.linalg.LinAlgError) as error:
        return str(error)


def _same_data(found: SideBySide) -> bool:
    """Whether both are of the same raw runs, or of one file."""
    one, other = ({str(each["uid"]) for each in result.raw} for result in (found.one, found.other))
    file = found.one.imported.get("sha256")
    return bool(one & other) or (file is not None and file == found.other.imported.get("sha256"))


def sentences(found: SideBySide) -> list[str]:
    """The numbers of a comparison in words."""
    one, other = found.names
    lines = [f"{one} and {other}: {found.spectra.one.energy.size} energies, {found.scale}", _of_difference(found)]
    if _same_data(found):
        lines.append("both are of the same data: errors of their difference count common noise twice")
    return [*lines, _of_shift(found), _of_transients(found)]


def _of_difference(found: SideBySide) -> str:
    difference, test = found.spectra.difference, found.spectra.agreement
    at = int(np.argmax(np.abs(difference.value)))
    largest = f"{difference.value[at]:+.4f} +- {np.sqrt(difference.covariance[at, at]):.4f}"
    return f"largest difference {largest} at {difference.energy[at]:.4f} keV; {_in_words(test)}"


def _in_words(test: DifferenceTest) -> str:
    return f"chi-square {test.chi_square:.1f} with {test.dof} degrees of freedom, p-value {test.p_value:.2g}"


def _of_shift(found: SideBySide) -> str:
    if isinstance(found.shift, str):
        return f"shift: none, {found.shift}"
    value, error = EV * found.shift.value, EV * found.shift.stddev
    interval = f"95 %: {value - Z95 * error:+.3f} to {value + Z95 * error:+.3f} eV"
    return f"shift: {found.names[0]} lies {value:+.3f} +- {error:.3f} eV above {found.names[1]} ({interval})"


def _of_transients(found: SideBySide) -> str:
    if isinstance(found.shape, str):
        return f"transients: {found.shape}"
    first, second = (_delay_of(each, slot) for each, slot in zip((found.one, found.other), found.slots, strict=True))
    size = f"{found.shape.amplitude:.3f} +- {found.shape.stddev:.3f}"
    return f"transient at {first} is {size} times that at {second}; shapes: {_in_words(found.shape.agreement)}"


def _delay_of(result: Result, slot: int) -> str:
    return format_delay(round(result.slot_delays[slot], 1))
