"""Findings from the readings of their counts: data keys in, arrays to the functions of `reduction.findings`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.detectors.absorption import absorbance
from reduction.documents.detectors import FPGA, LASER_PHASE, Detector, current
from reduction.documents.raw import DELAY_AXIS
from reduction.findings.counts import photons_per_gate
from reduction.findings.energy import FoilScan, find_energy
from reduction.findings.finding import FindingResult
from reduction.findings.gate import GateScan, find_gate
from reduction.findings.onset import Onset
from reduction.findings.threshold import find_threshold
from reduction.findings.time_zero import TimeZeroScan, find_time_zero, locate

Rows = Sequence[Mapping[str, Any]]
Conditions = Mapping[str, float]
Judge = Callable[[Rows, Conditions], FindingResult]
Array = NDArray[np.float64]

PS_PER_S = 1e12


class TimeZeroJudge:
    """Looks for the onset of the transient while counts go on, and judges in the end.

    Parameters
    ----------
    counter : str
        Device of the photon counter.
    i0_least : float
        Counts/s of I0 from which on there is beam.
    """

    def __init__(self, counter: str, i0_least: float) -> None:
        self._counter, self._i0_least = counter, i0_least

    def __call__(self, rows: Rows, conditions: Conditions) -> FindingResult:
        return find_time_zero(self._scan(rows, conditions))

    def onset(self, rows: Rows, conditions: Conditions) -> Onset | None:
        """From the counts so far; None without light."""
        return locate(self._scan(rows, conditions))

    def _scan(self, rows: Rows, conditions: Conditions) -> TimeZeroScan:
        hits, gates = (np.array([row[f"{self._counter}_{key}"] for row in rows]) for key in ("counts", "gates"))
        mean, variance = photons_per_gate(hits, gates)
        divider = int(conditions["divider"])
        slot = (np.arange(hits.shape[1]) - _column(rows, LASER_PHASE).astype(int)[:, None]) % divider
        member = slot[:, None, :] == np.arange(divider)[:, None]
        number = member.sum(axis=2)
        t0 = _column(rows, "t0")
        return TimeZeroScan(
            setting=_column(rows, DELAY_AXIS) + PS_PER_S * (conditions["t0"] - t0),
            laser_on=_column(rows, "laser_on") == 1,
            of_rise=_column(rows, "of_rise") == 1,
            photons=np.where(member, mean[:, None, :], 0.0).sum(axis=2) / number,
            variance=np.where(member, variance[:, None, :], 0.0).sum(axis=2) / number**2,
            spacing=conditions["spacing_ps"],
            t0=PS_PER_S * conditions["t0"],
            i0_rate=_i0_rate(rows),
            i0_least=self._i0_least,
        )


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
    """

    def __init__(
        self,
        counter: Detector = FPGA,
        threshold: str = "apd_threshold",
        bunch_currents: str = "",
        i0_least: float = 0.0,
        foil: tuple[Detector, ...] = (),
    ) -> None:
        self._foil = foil
        self._counter, self._threshold, self._currents = counter, threshold, bunch_currents
        self._i0_least = i0_least
        self.time_zero = TimeZeroJudge(counter.device, i0_least)

    def threshold(self, rows: Rows, conditions: Conditions) -> FindingResult:
        """Of the discriminator."""
        hits, gates = (self._arrays(rows, key).sum(axis=1) for key in ("counts", "gates"))
        return find_threshold(_column(rows, self._threshold), hits, gates, _i0_rate(rows), self._i0_least)

    def gate(self, rows: Rows, conditions: Conditions) -> FindingResult:
        """Of the photon counter."""
        scan = GateScan(
            delay=_column(rows, f"{self._counter.device}_gate_delay"),
            hits=self._arrays(rows, "counts"),
            gates=self._arrays(rows, "gates"),
            width=int(rows[0][f"{self._counter.device}_gate_width"]),
            tick=conditions["tick_ns"],
            jitter=conditions["jitter_ns"],
            spacing=conditions["spacing_ns"],
            currents=self._bunch_currents(rows),
            i0_rate=_i0_rate(rows),
            i0_least=self._i0_least,
        )
        return find_gate(scan)

    def energy(self, rows: Rows, conditions: Conditions) -> FindingResult:
        """Of the monochromator."""
        behind, *before = self._foil
        rate = _i0_rate(rows) if not before else _current(rows, before[0])
        scan = FoilScan(
            energy=_column(rows, "set_energy"),
            absorbance=absorbance(rate, _current(rows, behind)),
            upwards=_column(rows, "upwards") == 1,
            e0=conditions["e0_keV"],
            edge=behind.edge or "the foil",
            i0_rate=_i0_rate(rows),
            i0_least=self._i0_least,
        )
        return find_energy(scan)

    def _bunch_currents(self, rows: Rows) -> Array:
        """Mean currents of the bunches; empty where they are not read."""
        if self._currents not in rows[0]:
            return np.empty(0)
        return np.asarray(np.mean([row[self._currents] for row in rows], axis=0), dtype=np.float64)

    def _arrays(self, rows: Rows, key: str) -> Array:
        return np.array([row[f"{self._counter.device}_{key}"] for row in rows], dtype=np.float64)


def _column(rows: Rows, key: str) -> Array:
    return np.array([row[key] for row in rows], dtype=np.float64)


def _current(rows: Rows, detector: Detector) -> Array:
    """Current of a chamber in each count, dark subtracted, counts/s at unit gain."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return current(*(_column(rows, detector.key(name)) for name in ("counts", "time", "gain", "dark")))


def _i0_rate(rows: Rows) -> Array:
    """Rate of I0 in each count, counts/s."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(_column(rows, "i0") / _column(rows, "i0_time"))
