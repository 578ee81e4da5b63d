"""Unpacks documents into arrays. Data keys occur here and in devices and plans, nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.counting.phases import Pattern
from reduction.documents.detectors import COUNTER, FPGA, Detector, detectors_of, of_kind
from reduction.errors import DocumentError
from reduction.settings import Settings

PRIMARY = "primary"
FRAMES = "frames"
"""Stream of the frames of a sweep, which is an event of `PRIMARY`."""
MONITOR = "monitor"
"""Stream of the dwells at monitor energies, which measure the drift of the sample; keys as in `primary`."""
EVENT_KEYS = {
    "point_index": (),
    "segment": (),
    "attempt": (),
    "laser_on": (),
    "quality": (),
    "laser_phase": (),
    "i0": (),
    "i0_time": (),
    "i0_gain": (),
    "i0_dark": (),
    **dict.fromkeys(FPGA.needed, ("P",)),
}
"""Keys of an event that the reduction reads, with their shapes (P phases); those of other counters stand in `KEYS`."""
PAIR_KEYS = FPGA.pair_keys
"""Keys of the pair counters, integers of shape (lags, P), by their names in `Pairs`; read where an event has them."""
CONFIGURATION_KEYS = {"timing": ("timing_num_bunches", "timing_laser_divider", "timing_bunch_rate")}
"""Keys of a descriptor's configuration that the reduction reads, by device."""
BUNCH_RECORD, BUNCH_MONITOR = "{}_record", "{}_by_phase"
"""Keys of the device in the role `bunch_currents`: a current of each bunch with its time stamp; or an intensity of each
phase, measured during the dwell, whose standard deviation is ``{}_by_phase_stddev``."""
LASER_PHASE, BUNCH_PLACES = "timing_laser_phase", "timing_bunch_places"
"""Further keys of the bunch timing; without the second, bunches count as evenly spaced."""
ENERGY_AXIS = "mono_energy"
"""`scan_axis` in the start document of an energy scan, and the default where it is missing."""
DELAY_AXIS, FLUENCE_AXIS = "laser_delay", "laser_fluence"
AXES = {ENERGY_AXIS: ("energy", "keV"), DELAY_AXIS: (DELAY_AXIS, "ps"), FLUENCE_AXIS: (FLUENCE_AXIS, "mJ/cm2")}
"""By `scan_axis`: the key of the scanned quantity in reduced events, and its unit."""
IMPORTED = "imported"
"""Entry of the start document and of the configuration of a run that was imported from a file, which has other keys."""
START_KEYS = ("scan_set", "scan_index", "grid", "pattern", "settings", "edge", "pump_delay")


@dataclass(frozen=True)
class RawRun:
    """The entries of a start document that the reduction needs.

    Attributes
    ----------
    uid, scan_set : str
    axis : str
        Key of `AXES`.
    grid : ndarray, shape (E,)
        keV, ps or mJ/cm2.
    segments : int
        Dwells of each point.
    settings : Settings
    about : dict
        Entries that are copied to the reduced run.
    time : float
        When it began, seconds since 1970; NaN if nobody knows.
    clock_rate : float
        Beamline seconds per wall second.
    detectors : tuple of Detector
    bunch_currents : str
        Name of the device in this role; empty without one.
    pumped : bool
        Whether the pattern has dwells with the laser on.
    frames : int
        Frames of a sweep of the energy; 0 of a scan from point to point.
    per_step : float
        Frames from each point to the next.
    """

    uid: str
    scan_set: str
    axis: str
    grid: NDArray[np.float64]
    segments: int
    settings: Settings
    about: dict[str, Any]
    time: float = float("nan")
    clock_rate: float = 1.0
    detectors: tuple[Detector, ...] = (FPGA,)
    bunch_currents: str = ""
    pumped: bool = True
    frames: int = 0
    per_step: float = 1.0

    @property
    def counters(self) -> tuple[Detector, ...]:
        """The photon counters."""
        return of_kind(self.detectors, COUNTER)

    @property
    def digitised(self) -> Detector:
        """The counter whose shots are recorded, by default the first one."""
        return next((each for each in self.counters if each.digitised), self.counters[0])

    @property
    def pump_delay(self) -> float | None:
        """Pump-probe delay of slot 0, ps; None where it is scanned, NaN without the laser."""
        return None if self.axis == DELAY_AXIS else pump_delay_of(self.about)


@dataclass
class SummedPasses:
    """Passes over one grid that are summed.

    Attributes
    ----------
    run : RawRun
        The first of them.
    pattern : Pattern
    """

    run: RawRun
    pattern: Pattern

    def continues(self, run: RawRun, pattern: Pattern) -> bool:
        """Whether a further pass may be added: same scan set, axis, grid and settings, slots with the same delays."""
        return run.scan_set == self.run.scan_set and not self.differences(run, pattern)

    def differences(self, run: RawRun, pattern: Pattern) -> list[str]:
        """Why a further pass of this scan set may not be added, in a few words each; empty if it may."""
        mine = self.run
        found = [] if run.axis == mine.axis else [f"{run.axis} instead of {mine.axis}"]
        if not np.array_equal(run.grid, mine.grid):
            found.append(f"another grid of {run.grid.size} points instead of {mine.grid.size}")
        if run.settings != mine.settings:
            ours, theirs = mine.settings.to_mapping(), run.settings.to_mapping()
            found.append(f"other settings ({', '.join(name for name in ours if ours[name] != theirs[name])})")
        if not set(map(repr, run.detectors)) <= set(map(repr, mine.detectors)):
            found.append("other detectors")
        return found if pattern.has_slots_of(self.pattern) else [*found, "another fill pattern"]


HANDED_ON = (
    "edge", "absorption_edge", "scan_set", "scan_index", "passes", "pattern", "num_events", "pump_delay", "mode", "t0",
    "scan_id", "reference", "scan_axis", "probe_energy", "series", "sample", "cycle", "proposal", "users",
    "beamline_name", "configuration_hash", "pv_map", "detectors", IMPORTED,
)  # fmt: skip


def is_reducible(start: Mapping[str, Any]) -> bool:
    """Whether a start document is that of an energy, delay or fluence scan, which the reduction can reduce."""
    return start.get("scan_axis", ENERGY_AXIS) in AXES and all(key in start for key in _start_keys(start))


def _start_keys(start: Mapping[str, Any]) -> tuple[str, ...]:
    without = start.get("scan_axis") == DELAY_AXIS or not is_pumped(start)
    return tuple(key for key in START_KEYS if not (without and key == "pump_delay"))


def is_pumped(start: Mapping[str, Any]) -> bool:
    """Whether a scan has dwells with the laser on; of a run without a pattern, such as an imported one, it is so."""
    pattern = start.get("pattern")
    return not pattern or start.get("scan_axis", ENERGY_AXIS) != ENERGY_AXIS or 1 in pattern


def pump_delay_of(start: Mapping[str, Any]) -> float:
    """Pump-probe delay of slot 0, ps; 0 where it is scanned, NaN of a scan without the laser."""
    if start.get("scan_axis") == DELAY_AXIS:
        return 0.0
    return float(start.get("pump_delay", "nan")) if is_pumped(start) else float("nan")


def raw_run(start: Mapping[str, Any]) -> RawRun:
    """Read a start document.

    Raises
    ------
    DocumentError
        If an entry is missing or invalid.
    """
    if missing := [key for key in _start_keys(start) if key not in start]:
        raise DocumentError(f"start document {start.get('uid')} lacks {', '.join(missing)}")
    axis = start.get("scan_axis", ENERGY_AXIS)
    if axis not in AXES:
        raise DocumentError(f"start document {start['uid']}: scan_axis is {axis!r}, not one of {', '.join(AXES)}")
    grid = np.asarray(start["grid"], dtype=np.float64)
    if grid.ndim != 1 or grid.size < 1 or not np.isfinite(grid).all() or (np.diff(grid) <= 0).any():
        raise DocumentError(f"start document {start['uid']}: grid is not a list of ascending numbers")
    try:
        settings = Settings.from_mapping(start["settings"])
    except (TypeError, ValueError) as error:
        raise DocumentError(f"start document {start['uid']}: {error}") from error
    pumped = is_pumped(start)
    if axis != DELAY_AXIS and pumped and not np.isfinite(number(start["pump_delay"])):
        raise DocumentError(f"start document {start['uid']}: pump_delay is {start['pump_delay']!r}, not a number of ps")
    about = {key: start[key] for key in HANDED_ON if key in start}
    return RawRun(
        start["uid"], start["scan_set"], axis, grid, len(start["pattern"]), settings, about, number(start.get("time")),
        number(start.get("clock_rate", 1.0)), detectors_of(start),
        str(start.get("roles", {}).get("bunch_currents", "")).replace(".", "_"), pumped,
        int(start.get("frames", 0)), float(start["dwell"]) / float(start["frame"]) if "frame" in start else 1.0,
    )  # fmt: skip


def number(value: Any) -> float:
    """A number as float; NaN for anything else."""
    return float(value) if isinstance(value, int | float | np.number) else float("nan")


def transmission_of(start: Mapping[str, Any], data: Mapping[str, Any], before: float | None) -> float | None:
    """Of the attenuators by an event that has their absorbance (role `attenuator`), as the baseline; else as before."""
    role = (start.get("roles") or {}).get("attenuator")
    absorbance = data.get(str(role).replace(".", "_"))
    return before if absorbance is None else float(np.exp(-float(absorbance)))
