"""Every choice of a reduction in one object, stored with the result and identified by its hash."""

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


@dataclass(frozen=True)
class Settings:
    """Choices of a reduction.

    Attributes
    ----------
    pre_edge : tuple of float
        Window (keV, both ends included) whose mean is the flat offset, separately for laser on and off.
    integral : tuple of float
        Window (keV, both ends included) of the edge integral that a spectrum is divided by.
    reference : str
        What a slot with the laser on is compared with (`reduction.references`). ``paper``: the same slot with the
        laser off. ``shutter``: all slots with the laser off. ``slots``: the clean slots of the same shots.
        ``combined``: both. Where a slot sees only some bunches, ``slots`` is refused and ``combined`` means ``paper``.
    i0_noise : float
        Relative standard deviation of one I0 reading (one dwell), from the noise of the ion chamber.
    after_effects : bool
        Whether afterpulses and blinding are found from the pair counters and taken out of the spectrum.
    i0_dark : float, optional
        Dark counts of I0 a second, in place of the rate that each event tells.
    background_off, background_on : tuple of float
        Photons a pulse that are not from the sample (dark, laser-only light), by phase, laser off and on, from a
        measurement without X-rays; empty for none. They are subtracted from mu.
    procedure : str
        ``paper``: energy, delay and fluence scans as SI 3 to 5 describe them, by counting and by boxcar, whatever the
        reference. ``default``: as the statistics ask, with the reference that is chosen.
    align : bool
        Whether passes of an energy scan are shifted onto the first one before they are summed (see
        `reduction.spectra.align`): one shift for laser on and off, its error in every covariance.
    before_zero : float
        Pump-probe delay (ps) up to which a point counts as before time zero: three standard deviations of the
        response and a bit more.
    """

    pre_edge: tuple[float, float]
    integral: tuple[float, float]
    reference: str = "combined"
    i0_noise: float = 1e-3
    after_effects: bool = False
    i0_dark: float | None = None
    background_off: tuple[float, ...] = ()
    background_on: tuple[float, ...] = ()
    procedure: str = "default"
    before_zero: float = -150.0
    align: bool = False

    def __post_init__(self) -> None:
        for name in ("i0_noise", "before_zero", *(["i0_dark"] if self.i0_dark is not None else [])):
            if not _is_number(getattr(self, name)):
                raise ValueError(f"{name} must be a number, not {getattr(self, name)!r}")
        for name in ("pre_edge", "integral"):
            window = getattr(self, name)
            if len(window) != 2 or not all(_is_number(each) for each in window):
                raise ValueError(f"{name} must hold two energies in keV, not {window!r}")
            low, high = window
            if not low < high:
                raise ValueError(f"{name} must go from a lower to a higher energy in keV, not {low} to {high}")
            object.__setattr__(self, name, (float(low), float(high)))
        if self.reference not in REFERENCES:
            raise ValueError(f"reference must be one of {', '.join(REFERENCES)}, not {self.reference!r}")
        if self.procedure not in PROCEDURES:
            raise ValueError(f"procedure must be one of {', '.join(PROCEDURES)}, not {self.procedure!r}")
        if not -np.inf < self.before_zero <= 0:
            raise ValueError(f"before_zero must be a number of ps up to 0, not {self.before_zero}")
        if not 0 <= self.i0_noise < 1:
            raise ValueError(f"i0_noise must lie between 0 and 1 (relative), not {self.i0_noise}")
        if self.i0_dark is not None and not 0 <= self.i0_dark < float("inf"):
            raise ValueError(f"i0_dark must be counts a second from 0, not {self.i0_dark}")
        for name in ("after_effects", "align"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name} must be true or false, not {getattr(self, name)!r}")
        for name in ("background_off", "background_on"):
            given = getattr(self, name)
            values = tuple(float(value) for value in given if _is_number(value))
            if len(values) != len(given) or not all(0 <= value < 10 for value in values):
                raise ValueError(f"{name} must hold photons a pulse by phase, numbers from 0 to below 10")
            object.__setattr__(self, name, values)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Settings:
        """Settings from a start document's ``settings``; an unknown or missing one is refused by name."""
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(mapping) - known):
            raise ValueError(f"unknown reduction settings: {', '.join(unknown)}")
        if missing := sorted({"pre_edge", "integral"} - set(mapping)):
            raise ValueError(f"reduction settings lack {', '.join(missing)}")
        values = dict(mapping)
        for name in ("pre_edge", "integral"):
            values[name] = tuple(values[name]) if np.iterable(values[name]) else (values[name],)
        for name in ("background_off", "background_on"):
            if not np.iterable(values.get(name, ())):
                raise ValueError(f"{name} must hold photons a pulse by phase, not {values[name]!r}")
        return cls(**values)

    def background(self, num_phases: int) -> NDArray[np.float64]:
        """Photons a pulse that are not from the sample, shape (2, P), laser off and on.

        Raises
        ------
        ValueError
            If a background is given that does not have one value a phase.
        """
        result = np.zeros((2, num_phases))
        for laser, name in enumerate(("background_off", "background_on")):
            values = getattr(self, name)
            if values and len(values) != num_phases:
                raise ValueError(f"{name} has {len(values)} values, but the pattern has {num_phases} phases")
            result[laser, : len(values)] = values
        return result

    def to_mapping(self) -> dict[str, Any]:
        """Plain values for a document."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    def digest(self) -> str:
        """Hash that identifies these settings (first 16 hex digits of SHA-256 of their JSON)."""
        return hashlib.sha256(json.dumps(self.to_mapping(), sort_keys=True).encode()).hexdigest()[:16]


def _is_number(value: Any) -> bool:
    return isinstance(value, Real | np.number) and not isinstance(value, bool | np.bool_)
