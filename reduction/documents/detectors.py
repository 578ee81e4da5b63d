"""Detectors of a run from its start document, and the data keys of each: the one table of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from reduction.counting.phases import Pattern
from reduction.errors import DocumentError
from reduction.settings import Settings

Number = TypeVar("Number", float, NDArray[np.float64])

COUNTER, BOXCAR, TRANSMISSION, FOIL = "counter", "boxcar", "transmission", "foil"
KEYS: Mapping[str, Mapping[str, str]] = {
    COUNTER: {
        "hits": "{}_counts",
        "gates": "{}_gates",
        "laser_phase": "{}_laser_phase",
        "pair_gates": "{}_pair_gates",
        "pair_hits": "{}_pair_counts",
        "pair_previous_hits": "{}_prev_hits",
        "pair_coincidences": "{}_coincidences",
    },
    BOXCAR: {"value": "{}", "stddev": "{}_stddev", "overload": "{}_overload"},
    TRANSMISSION: {"counts": "{}", "time": "{}_time", "gain": "{}_gain", "dark": "{}_dark"},
    FOIL: {"counts": "{}", "time": "{}_time", "gain": "{}_gain", "dark": "{}_dark"},
}
"""By kind of detector, the data key of each reading; ``{}`` is the name of the device."""
ELEMENT: Mapping[str, str] = {
    "hits": "{}_region",
    "gates": "{}_ticks",
    "events": "{}_events",
    "reset_ticks": "{}_reset_ticks",
    "width": "{}_width",
}
"""Readings of a counter that is an element of an energy-dispersive detector, a number each."""
NEEDED = {COUNTER: ("hits", "gates"), BOXCAR: ("value", "stddev")}
"""Readings without which a detector was not read, where it is not all of them."""
PAIRS = ("gates", "hits", "previous_hits", "coincidences")
"""Readings ``pair_...`` of a counter, integers of shape (lags, P)."""
LASER_PHASE = "laser_phase"
"""Data key of the laser phase of the first counter."""
BOXCAR_KEYS = "boxcar_"
"""Prefix of the data keys of boxcars without an entry: a value (V, negative-going) with an error, ``<key>_stddev``."""
OWN_SETTINGS = (
    "after_effects", "pile_up", "background_off", "background_on", "background_off_stddev", "background_on_stddev",
    "background_laser_phase", "background_time", "background_conditions", "background_records",
)  # fmt: skip
"""Settings of the reduction that a detector may have of its own."""
LIVE_SETTINGS: dict[str, Any] = {"pile_up": False, "after_effects": False}
"""Settings of an element: a tick has one photon at most, and hides none."""


@dataclass(frozen=True)
class Detector:
    """A detector of a run.

    Attributes
    ----------
    name : str
        By which results and notes call it.
    kind : str
        Key of `KEYS`.
    device : str
        Name of the device, or of a part of it (``device.part``).
    saturation : float
        Hits per gate from which on a phase of a counter counts as saturated.
    edge : str
        Edge of a foil, for example ``Br_K``; empty for that of the scan.
    e0 : float
        Tabulated energy of that edge, keV; NaN for that of a table.
    slot : int
        Pump slot whose pulse a boxcar sees.
    digitised : bool
        Whether the shots of a scan are those of this counter.
    live_time : bool
        Whether a counter is an element of an energy-dispersive detector, see `reduction.documents.live_time`.
    width_error : float
        Relative standard deviation of the dead time of its events.
    settings : mapping
        Some of `OWN_SETTINGS`, instead of those of the run.
    """

    name: str
    kind: str
    device: str
    saturation: float = 1.0
    edge: str = ""
    e0: float = float("nan")
    slot: int = 0
    digitised: bool = False
    live_time: bool = False
    width_error: float = 0.0
    settings: Mapping[str, Any] = field(default_factory=dict)

    def key(self, reading: str) -> str:
        """Data key of one reading."""
        return self._keys[reading].format(self.device.replace(".", "_"))

    @property
    def needed(self) -> tuple[str, ...]:
        """Data keys without which it was not read."""
        readings = self._keys if self.live_time else NEEDED.get(self.kind, self._keys)
        return tuple(self.key(reading) for reading in readings)

    @property
    def _keys(self) -> Mapping[str, str]:
        return ELEMENT if self.live_time else KEYS[self.kind]

    @property
    def pair_keys(self) -> dict[str, str]:
        """Data keys of the pair counters, by their names in `reduction.counting.pairs.Pairs`."""
        return {} if self.live_time else {name: self.key(f"pair_{name}") for name in PAIRS}

    def own_settings(self, settings: Settings) -> Settings:
        """The settings of a run with those of this detector.

        Raises
        ------
        ValueError
            If one of them is invalid.
        """
        own = {**self.settings, **(LIVE_SETTINGS if self.live_time else {})}
        return Settings.from_mapping({**settings.to_mapping(), **own}) if own else settings

    def capped(self, hits: NDArray[np.int64], gates: NDArray[np.int64]) -> NDArray[np.int64]:
        """Hits with those of saturated phases raised to the gates, so that they are rejected."""
        if self.saturation >= 1:
            return hits
        return np.where((hits >= self.saturation * gates) & (hits <= gates), gates, hits)


FPGA = Detector("fpga", COUNTER, "fpga")
"""The counter of a run whose start document has no detectors."""


def detectors_of(start: Mapping[str, Any]) -> tuple[Detector, ...]:
    """Detectors of a start document; the counter `FPGA` if it has no entry ``detectors``.

    Raises
    ------
    DocumentError
        If an entry is invalid, two detectors are the same readings, or none of them is a counter.
    """
    entries = start.get("detectors")
    if not entries:
        return (FPGA,)
    try:
        found = tuple(_detector(str(name), entry) for name, entry in entries.items())
        if not any(each.kind == COUNTER for each in found):
            raise ValueError("detectors: none of them is of kind counter")
        by_device: dict[str, str] = {}
        for each in found:
            if (other := by_device.setdefault(each.device, each.name)) != each.name:
                raise ValueError(f"detectors {other} and {each.name} are both {each.device}: remove one of them")
    except (TypeError, ValueError, AttributeError) as error:
        raise DocumentError(f"start document {start.get('uid')}: {error}") from error
    return found


KNOWN = frozenset(
    {"kind", "device", "apd", "saturation", "edge", "e0", "slot", "digitised", "live_time", "width_error"}
)
"""Entries of a detector beside its own settings."""


def _detector(name: str, entry: Mapping[str, Any]) -> Detector:
    own = {key: value for key, value in entry.items() if key in OWN_SETTINGS}
    given = {key: value for key, value in entry.items() if key not in own}
    if unknown := sorted(set(given) - KNOWN):
        raise ValueError(f"detector {name} has unknown entries: {', '.join(unknown)}")
    if given.get("kind") not in KEYS:
        raise ValueError(f"detector {name}: kind is {given.get('kind')!r}, not one of {', '.join(KEYS)}")
    if not isinstance(given.get("device"), str) or not given["device"]:
        raise ValueError(f"detector {name} has no device")
    saturation = float(given.get("saturation", 1.0))
    if not 0 < saturation <= 1:
        raise ValueError(f"detector {name}: saturation must be hits per gate above 0, up to 1, not {saturation}")
    e0 = float(given.get("e0", "nan"))
    edge, slot, digitised = str(given.get("edge", "")), int(given.get("slot", 0)), bool(given.get("digitised", False))
    live = bool(given.get("live_time", False)), float(given.get("width_error", 0.0))
    return Detector(name, given["kind"], given["device"], saturation, edge, e0, slot, digitised, *live, settings=own)


def current(counts: Number, time: Number, gain: Number, dark: Number) -> Number:
    """Current of a chamber or diode from the counts of its amplifier: counts/s at unit gain, dark subtracted."""
    return (counts / time - dark) / gain


def of_kind(detectors: Sequence[Detector], *kinds: str) -> tuple[Detector, ...]:
    """The detectors of some kinds."""
    return tuple(each for each in detectors if each.kind in kinds)


def boxcars_of(descriptor: Mapping[str, Any]) -> tuple[Detector, ...]:
    """Boxcars of a stream by their data keys, sorted; for runs whose start document does not name any."""
    keys = descriptor["data_keys"]
    found = sorted(key for key in keys if key.startswith(BOXCAR_KEYS) and f"{key}_stddev" in keys)
    return tuple(Detector(key, BOXCAR, key) for key in found)


def counters_read(descriptor: Mapping[str, Any], counters: Sequence[Detector], pattern: Pattern) -> tuple[str, ...]:
    """Names of the counters that a stream has.

    Raises
    ------
    DocumentError
        If it has none of them, or arrays have another length than the pattern has phases.
    """
    keys = descriptor["data_keys"]
    read = [each for each in counters if all(key in keys for key in each.needed)]
    if not read:
        missing = [key for each in counters for key in each.needed if key not in keys]
        raise DocumentError(f"descriptor {descriptor.get('uid')} lacks the data key {missing[0]}")
    for key in (key for each in read if not each.live_time for key in each.needed):
        if list(keys[key]["shape"]) != [pattern.num_phases]:
            raise DocumentError(
                f"{key} has shape {keys[key]['shape']}, but {pattern.num_bunches} bunches with"
                f" laser divider {pattern.divider} make {pattern.num_phases} phases"
            )
    return tuple(each.name for each in read)


def require_pairs(descriptor: Mapping[str, Any], detector: Detector, settings: Settings) -> None:
    """Raise if after-effects are to be corrected and the counter has no pair counters.

    Raises
    ------
    DocumentError
    """
    missing = [key for key in detector.pair_keys.values() if key not in descriptor["data_keys"]]
    if settings.after_effects and missing:
        raise DocumentError(
            f"descriptor {descriptor['uid']} lacks {', '.join(missing)}, which after-effects are found from:"
            " turn after_effects off, or have the counter read its pair counters"
        )
