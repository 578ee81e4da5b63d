"""Another result behind the live spectra, on their scale."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from beamline.formatting import printable
from beamline.outputs.comparison.content import curve_of, name_of, transient_of
from beamline.outputs.export.result import Result
from beamline.outputs.live_figure.scan import LiveScan
from reduction.errors import ReductionError
from reduction.settings import Settings
from reduction.spectra.normalise import normalised_alone

Array = NDArray[np.float64]


class DrawnBehind(Protocol):
    """Curves that are drawn behind the scan shown."""

    @property
    def title(self) -> str:
        """What is drawn, in a few words."""

    def static(self, scan: LiveScan) -> tuple[Array, Array, str]:
        """Energies (keV), a laser-off spectrum in edge integrals, and a label; empty arrays with the reason in it."""

    def transient(self, scan: LiveScan) -> tuple[Array, Array]:
        """Energies (keV) and a transient in edge integrals; empty without."""


@dataclass(frozen=True)
class Reference:
    """A result that is drawn behind the scan shown."""

    result: Result

    @property
    def title(self) -> str:
        """Name of the result."""
        return name_of(self.result)

    def static(self, scan: LiveScan) -> tuple[Array, Array, str]:
        """Energies (keV), the laser-off spectrum over its edge integral in the windows of the scan, and a label.

        Empty arrays with the reason as the label where that is impossible.
        """
        name = printable(name_of(self.result)).replace("$", r"\$")
        if self.result.start.get("edge") != (scan.start or {}).get("edge"):
            return np.empty(0), np.empty(0), f"{name}: another edge"
        curve = curve_of(self.result)
        try:
            settings = _inside(Settings.from_mapping((scan.start or {})["settings"]), curve.energy)
            value, _ = normalised_alone(curve.value, np.zeros_like(curve.value), curve.energy, settings, scan.imported)
        except (ReductionError, ValueError) as error:
            return np.empty(0), np.empty(0), f"{name}: {error}"
        return curve.energy, value, f"{name}, over its edge integral"

    def transient(self, scan: LiveScan) -> tuple[Array, Array]:
        """Energies (keV) and the transient of slot 0 in edge integrals; empty if it has none."""
        curve = transient_of(self.result, 0)
        return (np.empty(0), np.empty(0)) if curve is None else (curve.energy, curve.value)


def _inside(settings: Settings, energy: Array) -> Settings:
    """Windows cut to the energies of the other spectrum."""
    low, high = float(energy[0]), float(energy[-1])
    pre, integral = ((max(low, ends[0]), min(high, ends[1])) for ends in (settings.pre_edge, settings.integral))
    return replace(settings, pre_edge=pre, integral=integral)


class ReferenceLines:
    """Lines of a reference in the panels of the scan page.

    Parameters
    ----------
    static, first : Axes
        Panels of the laser-off spectrum and of slot 0.
    reference : DrawnBehind
    """

    def __init__(self, static: Any, first: Any, reference: DrawnBehind) -> None:
        self._reference = reference
        style = {"color": "0.45", "lw": 1.4, "zorder": 2.55, "animated": True}
        (self._static,) = static.plot([], [], **style)
        (self._transient,) = first.plot([], [], **style)
        self._label = static.text(
            0.99, 0.05, "", transform=static.transAxes, ha="right", fontsize=9, color="0.35", zorder=5, animated=True
        )

    def update(self, scan: LiveScan) -> None:
        """Draw the reference on the scale of the scan, once it has one."""
        if scan.spectrum is None:
            self._label.set_text(f"{printable(self._reference.title)}: drawn after the first pass")
            return
        energy, value, label = self._reference.static(scan)
        self._static.set_data(energy, value)
        at, transient = self._reference.transient(scan)
        self._transient.set_data(at, 100 * transient)
        self._label.set_text(f"line: {label}")
