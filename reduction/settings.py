"""All settings of a reduction in one object, stored with the result and identified by its hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

REFERENCES = ("paper", "shutter", "slots", "combined")
PROCEDURES = ("default", "paper")
DRIFTS = ("auto", "off")
FOILS = ("report", "apply")
LATE_SLOTS = ("family", "measured")
SLOT_BINS = ("auto", "each", "log", "linear", "edges")
BACKGROUNDS = ("background_off", "background_on", "background_off_stddev", "background_on_stddev")


@dataclass(frozen=True)
class Settings:
    """Settings of a reduction.

    Attributes
    ----------
    pre_edge : tuple of float
        Window (keV, both ends included) whose mean is the flat offset, separately for laser on and off.
    integral : tuple of float
        Window (keV, both ends included) of the edge integral by which a spectrum is divided.
    reference : str
        Reference of a laser-on slot (`reduction.references`). ``paper``: the same slot with the
        laser off. ``shutter``: all slots with the laser off. ``slots``: the clean slots of the same shots; where the
        laser is slow, the same bunches in the slots before the pump. ``combined``: both.
    late_slots : str
        What ``combined`` takes for the transient that late slots of an energy scan still hold. ``family``: an average
        over a family of decays, with errors that are right over all samples. ``measured``: what the comparison with the
        laser off gives, with larger errors that are right for each sample.
    i0_noise : float
        Relative standard deviation of one I0 reading (one dwell), from the noise of the ion chamber.
    after_effects : bool
        Whether to correct for afterpulses and blinding, which are determined from the pair counters.
    pile_up : bool
        Whether to correct hits for further photons in the same gate; without, a hit is a photon.
    i0_dark : float, optional
        Dark counts of I0 per second, instead of the rate in each event.
    i0_dark_gain : float, optional
        Amplifier gain at which `i0_dark` was measured; dwells at another gain are rejected.
    background_off, background_on : tuple of float
        Background in photons per pulse (dark, laser-only light), by phase, laser off and on, from a measurement without
        X-rays; empty for none. It is subtracted from mu.
    background_off_stddev, background_on_stddev : tuple of float
        Their standard deviations, common to all dwells; empty for none.
    background_laser_phase : int, optional
        Laser phase of the background run: each dwell uses the background of its own bunches and slots. By default the
        values apply to the phases as they are.
    background_time : float, optional
        Time of the background run, seconds since 1970.
    background_age : float
        Age of a background (s) above which a note reports it.
    background_conditions : tuple of (str, float)
        Readings on which a background depends (gate, threshold, bias), by their data keys, at the time of its run. A
        note names those that differ in a scan.
    background_records : tuple of (str, str)
        Records of the detectors of the background run, by their data keys. A note names those that differ in a scan:
        another detector has another background.
    procedure : str
        ``paper``: energy, delay and fluence scans as in SI 3 to 5, by counting and by boxcar, whatever the reference.
        ``default``: with complete statistics and the chosen reference.
    response : float
        Standard deviation (ps) of the response of a delay scan: bunch, laser and jitter together.
    response_stddev : float, optional
        Its standard deviation (ps), if it was measured independently; by default the trace determines the response.
    response_shape : tuple of (float, float)
        A measured response, pairs of time (ps) and density; its standard deviation then replaces `response`. Empty for
        a Gaussian.
    align : bool
        Whether to shift the passes of an energy scan onto the first one before they are summed (see
        `reduction.spectra.align`): one shift for laser on and off, with its error in every covariance.
    before_zero : float
        Pump-probe delay (ps) up to which a point counts as before time zero: a little more than three standard
        deviations of the response.
    foil : str
        ``report``: the shift of the energies by a foil is reported beside the results. ``apply``: each pass of an
        energy scan is moved by it onto the grid, with its error in every covariance (see `reduction.detectors.foil`).
    drift : str
        ``auto``: the drift of the sample within the passes of an energy scan is taken out where monitor energies or
        repeated passes determine it (see `reduction.drift`), and its uncertainty is in the errors; elsewhere a note
        states how large the error may be. ``off``: neither. Not by procedure ``paper``.
    slot_bins : str
        How pump slots are summed in bins of the time after the pump (see `reduction.counting.slot_bins`). ``each``: not
        at all. ``log``: the first by itself, then `slots_per_decade`. ``linear``: bins of `slot_width`. ``edges``:
        between `slot_edges`. ``auto``: ``each`` up to 12 pump slots, else ``log``. In delay scans slot 0 is always a
        bin of its own.
    slots_per_decade : int
        Bins for each factor of ten in time.
    slot_width : float, optional
        Width of a bin (ps).
    slot_edges : tuple of float
        Edges of the bins (ps after the pump), ascending; slots outside are in no bin.
    bunch_currents : str
        ``auto``: counts are divided by the measured current of each bunch where a scan has it (role
        ``bunch_currents``), with its noise and age in the errors. ``off``: they are not.
    bunch_noise : float, optional
        Relative standard deviation of a reading of a bunch's current; by default from the scatter of the readings.
    before_pump : float, optional
        Time before the next pump (ps) in which the slots of a slow laser are the ground state. By default a tenth of
        the laser period, at least one turn.
    """

    pre_edge: tuple[float, float]
    integral: tuple[float, float]
    reference: str = "combined"
    late_slots: str = "family"
    i0_noise: float = 1e-3
    after_effects: bool = False
    pile_up: bool = True
    i0_dark: float | None = None
    i0_dark_gain: float | None = None
    background_off: tuple[float, ...] = ()
    background_on: tuple[float, ...] = ()
    background_off_stddev: tuple[float, ...] = ()
    background_on_stddev: tuple[float, ...] = ()
    background_laser_phase: int | None = None
    background_time: float | None = None
    background_age: float = 8 * 3600.0
    background_conditions: tuple[tuple[str, float], ...] = ()
    background_records: tuple[tuple[str, str], ...] = ()
    procedure: str = "default"
    before_zero: float = -150.0
    response: float = 45.0
    response_stddev: float | None = None
    response_shape: tuple[tuple[float, float], ...] = ()
    align: bool = False
    foil: str = "report"
    drift: str = "auto"
    slot_bins: str = "auto"
    slots_per_decade: int = 3
    slot_width: float | None = None
    slot_edges: tuple[float, ...] = ()
    before_pump: float | None = None
    bunch_currents: str = "auto"
    bunch_noise: float | None = None

    def __post_init__(self) -> None:
        checks = (self._check_numbers, self._check_windows, self._check_choices)
        for check in (*checks, self._check_response, self._check_background, self._check_slots):
            check()

    def _check_numbers(self) -> None:
        for name in ("i0_noise", "before_zero", *(["i0_dark"] if self.i0_dark is not None else [])):
            if not _is_number(getattr(self, name)):
                raise ValueError(f"{name} must be a number, not {getattr(self, name)!r}")
        if not -np.inf < self.before_zero <= 0:
            raise ValueError(f"before_zero must be a number of ps up to 0, not {self.before_zero}")
        if not 0 <= self.i0_noise < 1:
            raise ValueError(f"i0_noise must lie between 0 and 1 (relative), not {self.i0_noise}")
        if self.i0_dark is not None and not 0 <= self.i0_dark < float("inf"):
            raise ValueError(f"i0_dark must be counts a second from 0, not {self.i0_dark}")
        if self.i0_dark_gain is not None and not 0 < self.i0_dark_gain < float("inf"):
            raise ValueError(f"i0_dark_gain must be an amplifier gain above 0, not {self.i0_dark_gain}")

    def _check_windows(self) -> None:
        for name in ("pre_edge", "integral"):
            window = getattr(self, name)
            if len(window) != 2 or not all(_is_number(each) for each in window):
                raise ValueError(f"{name} must hold two energies in keV, not {window!r}")
            low, high = window
            if not low < high:
                raise ValueError(f"{name} must go from a lower to a higher energy in keV, not {low} to {high}")
            object.__setattr__(self, name, (float(low), float(high)))

    def _check_choices(self) -> None:
        known = {"reference": REFERENCES, "procedure": PROCEDURES, "slot_bins": SLOT_BINS}
        known |= dict.fromkeys(("drift", "bunch_currents"), DRIFTS) | {"foil": FOILS, "late_slots": LATE_SLOTS}
        for name, choices in known.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}, not {getattr(self, name)!r}")
        for name in ("after_effects", "pile_up", "align"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name} must be true or false, not {getattr(self, name)!r}")
        if self.after_effects and not self.pile_up:
            raise ValueError("after_effects are corrected together with pile-up: turn pile_up on, or after_effects off")

    def _check_response(self) -> None:
        for name in ("response", "response_stddev"):
            value = getattr(self, name)
            if not (value is None and name == "response_stddev") and not 0 < value < np.inf:
                raise ValueError(f"{name} must be a number of ps above 0, not {value}")
        pairs = tuple((float(time), float(density)) for time, density in self.response_shape)
        object.__setattr__(self, "response_shape", pairs)

    def _check_background(self) -> None:
        for name in BACKGROUNDS:
            given = getattr(self, name)
            values = tuple(float(value) for value in given if _is_number(value))
            if len(values) != len(given) or not all(0 <= value < 10 for value in values):
                raise ValueError(f"{name} must hold photons a pulse by phase, numbers from 0 to below 10")
            object.__setattr__(self, name, values)
        phase = self.background_laser_phase
        if phase is not None and not (isinstance(phase, int | np.integer) and phase >= 0):
            raise ValueError(f"background_laser_phase must be a whole number from 0, not {phase!r}")
        conditions = tuple((str(key), float(value)) for key, value in self.background_conditions)
        object.__setattr__(self, "background_conditions", conditions)
        records = tuple((str(key), str(record)) for key, record in self.background_records)
        object.__setattr__(self, "background_records", records)
        if not self.background_age > 0:
            raise ValueError(f"background_age must be a number of s above 0, not {self.background_age}")

    def _check_slots(self) -> None:
        if not (isinstance(self.slots_per_decade, int) and 1 <= self.slots_per_decade <= 20):
            raise ValueError(f"slots_per_decade must be a whole number from 1 to 20, not {self.slots_per_decade!r}")
        for name in ("slot_width", "before_pump"):
            value = getattr(self, name)
            if value is not None and not (_is_number(value) and 0 < value < np.inf):
                raise ValueError(f"{name} must be a number of ps above 0, not {value!r}")
        if self.bunch_noise is not None and not (_is_number(self.bunch_noise) and 0 <= self.bunch_noise < 1):
            raise ValueError(f"bunch_noise must lie between 0 and 1 (relative), not {self.bunch_noise!r}")
        edges = tuple(float(edge) for edge in self.slot_edges)
        object.__setattr__(self, "slot_edges", edges)
        if edges and not (len(edges) > 1 and np.isfinite(edges).all() and (np.diff(edges) > 0).all()):
            raise ValueError(f"slot_edges must be two or more ascending times in ps, not {edges}")
        for choice, name in (("linear", "slot_width"), ("edges", "slot_edges")):
            if self.slot_bins == choice and not getattr(self, name):
                raise ValueError(f"slot_bins {choice!r} needs {name} (ps)")

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Settings:
        """Settings from a start document's ``settings``; an unknown or missing one raises an error that names it."""
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(mapping) - known):
            raise ValueError(f"unknown reduction settings: {', '.join(unknown)}")
        if missing := sorted({"pre_edge", "integral"} - set(mapping)):
            raise ValueError(f"reduction settings lack {', '.join(missing)}")
        values = dict(mapping)
        for name in ("pre_edge", "integral"):
            values[name] = tuple(values[name]) if np.iterable(values[name]) else (values[name],)
        for name in BACKGROUNDS:
            if not np.iterable(values.get(name, ())):
                raise ValueError(f"{name} must hold photons a pulse by phase, not {values[name]!r}")
        if not np.iterable(values.get("slot_edges", ())):
            raise ValueError(f"slot_edges must be two or more ascending times in ps, not {values['slot_edges']!r}")
        return cls(**values)

    def background(self, num_phases: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Photons a pulse that are not from the sample and their standard deviations, shape (2, P), laser off and on.

        Raises
        ------
        ValueError
            If a background is given that does not have one value a phase.
        """
        result = np.zeros((2, 2, num_phases))
        for (kind, laser), name in zip(np.ndindex(2, 2), BACKGROUNDS, strict=True):
            values = getattr(self, name)
            if values and len(values) != num_phases:
                raise ValueError(f"{name} has {len(values)} values, but the pattern has {num_phases} phases")
            result[kind, laser, : len(values)] = values
        return result[0], result[1]

    def to_mapping(self) -> dict[str, Any]:
        """Plain values for a document."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    def digest(self) -> str:
        """Hash that identifies these settings (first 16 hex digits of SHA-256 of their JSON)."""
        return hashlib.sha256(json.dumps(self.to_mapping(), sort_keys=True).encode()).hexdigest()[:16]


def _is_number(value: Any) -> bool:
    return isinstance(value, Real | np.number) and not isinstance(value, bool | np.bool_)
