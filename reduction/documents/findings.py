"""Findings from the readings of their counts: data keys in, arrays to the functions of `reduction.findings`."""

from __future__ import annotations

from collections.abc import Callable
from math import nan

import numpy as np
from numpy.typing import NDArray

from reduction.detectors.absorption import absorbance
from reduction.documents.detectors import FPGA, Detector, current
from reduction.documents.finding_rows import Conditions, Rows, SlotCounts, column, i0_rate
from reduction.documents.foil import tabulated_e0
from reduction.documents.knife import KnifeJudge
from reduction.documents.time_zero import Remembered, TimeZeroJudge
from reduction.findings.crystal import RockingScan, find_crystal
from reduction.findings.energy import FoilScan, find_energy
from reduction.findings.finding import FindingResult
from reduction.findings.flux_knobs import FluxKnobs
from reduction.findings.gate import GateScan, find_gate
from reduction.findings.overlap import OverlapScan, find_overlap
from reduction.findings.steady import Attenuated, Series, find_flux, find_jet
from reduction.findings.threshold import find_threshold
from reduction.findings.windows import WindowScan, find_windows

Judge = Callable[[Rows, Conditions], FindingResult]
Array = NDArray[np.float64]


class Judges:
    """The judge of each finding, for the names of one beamline.

    Parameters
    ----------
    counter : Detector
        The photon counter.
    threshold : str
        Data key of the threshold, mV.
    bunch_currents : str
        Data key of the currents of the bunches; empty without them.
    i0_least : float
        Counts/s of I0 from which on there is beam.
    foil : tuple of Detector
        The chamber behind the foil, and the one before it if that is not I0.
    steering : tuple of str
        The two motors that steer the laser.
    boxcar : str
        The device with both boxcars.
    ring_current : str
        Data key of the current of the ring, mA; empty without it.
    diode : str
        Data key of the counts of the diode behind the knife.
    """

    def __init__(
        self,
        counter: Detector = FPGA,
        threshold: str = "apd_threshold",
        bunch_currents: str = "",
        i0_least: float = 0.0,
        foil: tuple[Detector, ...] = (),
        steering: tuple[str, str] = ("along", "across"),
        boxcar: str = "boxcar",
        ring_current: str = "",
        diode: str = "",
    ) -> None:
        self._steering, self._boxcar, self._ring_current = steering, boxcar, ring_current
        self._foil = foil
        self._counter, self._threshold, self._currents = counter, threshold, bunch_currents
        self._i0_least = i0_least
        self.time_zero = TimeZeroJudge(counter.device, i0_least)
        self._energy, self._overlap = Remembered(), Remembered()
        self._knife = KnifeJudge(diode, steering, i0_least)
        self.knife, self.focus = self._knife.knife, self._knife.focus

    def threshold(self, rows: Rows, conditions: Conditions) -> FindingResult:
        """Of the discriminator."""
        rows = sorted(rows, key=lambda row: float(row[self._threshold]))
        hits, gates = (self._arrays(rows, key).sum(axis=1) for key in ("counts", "gates"))
        return find_threshold(column(rows, self._threshold), hits, gates, i0_rate(rows), self._i0_least)

    def gate(self, rows: Rows, conditions: Conditions) -> FindingResult:
        """Of the photon counter."""
        scan = GateScan(
            delay=column(rows, f"{self._counter.device}_gate_delay"),
            hits=self._arrays(rows, "counts"),
            gates=self._arrays(rows, "gates"),
            width=int(rows[0][f"{self._counter.device}_gate_width"]),
            tick=conditions["tick_ns"],
            jitter=conditions["jitter_ns"],
            spacing=conditions["spacing_ns"],
            currents=self._bunch_currents(rows),
            i0_rate=i0_rate(rows),
            i0_least=self._i0_least,
        )
        return find_gate(scan)

    def energy(self, rows: Rows, conditions: Conditions) -> FindingResult:
        """Of the monochromator, by the close scans if there are any."""
        rows = [row for row in rows if row.get("close")] or rows
        behind, *before = self._foil
        rate = i0_rate(rows) if not before else _current(rows, before[0])
        scan = FoilScan(
            energy=column(rows, "set_energy"),
            absorbance=absorbance(rate, _current(rows, behind)),
            upwards=column(rows, "upwards") == 1,
            e0=tabulated_e0(behind, rows[0]["edge_of_foil"], conditions["e0_keV"]),
            edge=rows[0]["edge_of_foil"],
            i0_rate=i0_rate(rows),
            i0_least=self._i0_least,
        )
        return self._energy(lambda: find_energy(scan), scan.energy, scan.absorbance)

    def overlap(self, rows: Rows, conditions: Conditions) -> FindingResult:
        """Of laser and X-rays, with the edges of a knife in those readings that have them."""
        knife, rows = [row for row in rows if "blade" in row], [row for row in rows if "blade" not in row]
        beams = self.knife(knife, conditions) if knife else None
        if beams is not None and not rows:
            return beams
        slots = SlotCounts(rows, self._counter.device, int(conditions["divider"]))
        scan = OverlapScan(
            along=column(rows, "along"),
            across=column(rows, "across"),
            photons=slots.photons,
            variance=slots.variance,
            before=(conditions["along"], conditions["across"]),
            expected=conditions["expected_um"],
            names=self._steering,
            i0_rate=i0_rate(rows),
            i0_least=self._i0_least,
            beams=beams,
        )
        return self._overlap(lambda: find_overlap(scan), scan.along, scan.across, scan.photons)

    def windows(self, rows: Rows, conditions: Conditions) -> FindingResult:
        """Of the boxcars."""
        spacing, divider = conditions["spacing_ns"], int(conditions["divider"])
        clipped = [key for key in rows[0] if key.startswith(f"{self._boxcar}_") and key.endswith("_overload")]
        scan = WindowScan(
            time=np.asarray(rows[0]["phase"], dtype=np.float64) / 360 * spacing * divider,
            trace=np.array([row[f"{self._boxcar}_pwa"] for row in rows], dtype=np.float64),
            spacing=spacing,
            slots=divider,
            clipped=any(column(rows, key).any() for key in clipped),
            i0_rate=i0_rate(rows),
            i0_least=self._i0_least,
        )
        return find_windows(scan)

    def crystal(self, rows: Rows, conditions: Conditions) -> FindingResult:
        """Second one of the monochromator."""
        rate = i0_rate(rows) / self._relative_ring_current(rows)
        return find_crystal(RockingScan(column(rows, "angle"), rate, conditions["before"], self._i0_least))

    def flux(self, rows: Rows, conditions: Conditions) -> FindingResult:
        """Photons per pulse, and I0 with the dark of its record subtracted."""
        added = column(rows, "added_absorbance")
        plain = [row for row, filters in zip(rows, added, strict=True) if not filters]
        absorbance, gain = (float(rows[0].get(f"present_{key}", nan)) for key in ("attenuator", "i0_gain"))
        least, most = (conditions.get(key, nan) for key in ("least_absorbance", "i0_most"))
        knobs = FluxKnobs(absorbance, least, most, gain)
        if not added.any():
            return find_flux(self._series(plain, conditions), knobs=knobs)
        mean, _ = self._series(rows, conditions).photons()
        dark = column(rows, "i0_dark") if "i0_dark" in rows[0] else 0.0
        return find_flux(self._series(plain, conditions), Attenuated(mean, i0_rate(rows) - dark), knobs)

    def jet(self, rows: Rows, conditions: Conditions) -> FindingResult:
        """Of the sample."""
        return find_jet(self._series(rows, conditions))

    def _series(self, rows: Rows, conditions: Conditions) -> Series:
        return Series(
            hits=self._arrays(rows, "counts"),
            gates=self._arrays(rows, "gates"),
            i0=column(rows, "i0"),
            seconds=column(rows, "i0_time"),
            dwell=conditions["dwell"],
            slots=int(conditions["divider"]),
            i0_least=self._i0_least,
            overhead=conditions["overhead"],
        )

    def _relative_ring_current(self, rows: Rows) -> Array | float:
        """Current of the ring over its mean, so that a top-up is no change of the beamline; 1 where it is not read."""
        current = column(rows, self._ring_current) if self._ring_current in rows[0] else np.zeros(1)
        return current / current.mean() if current.min() > 0 else 1.0

    def _bunch_currents(self, rows: Rows) -> Array:
        """Mean currents of the bunches; empty where they are not read."""
        if self._currents not in rows[0]:
            return np.empty(0)
        return np.asarray(np.mean([row[self._currents] for row in rows], axis=0), dtype=np.float64)

    def _arrays(self, rows: Rows, key: str) -> Array:
        return np.array([row[f"{self._counter.device}_{key}"] for row in rows], dtype=np.float64)


def _current(rows: Rows, detector: Detector) -> Array:
    """Current of a chamber in each count, dark subtracted, counts/s at unit gain."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return current(*(column(rows, detector.key(name)) for name in ("counts", "time", "gain", "dark")))
