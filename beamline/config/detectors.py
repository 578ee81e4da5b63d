"""Detectors of a beamline: tables ``[detectors.NAME]``, each with the device that it reads and settings of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from beamline.config.devices import Station
from beamline.config.edges import KeV
from beamline.config.entries import Section
from plans.compilation.edges import find_edge


class DetectorEntry(Section):
    """A detector, by which results are called; without any, the photon counters of the role `counters` are."""

    kind: Literal["counter", "boxcar", "transmission", "foil"]
    """``counter``: photons by phase, with pile-up correction. ``boxcar``: an analogue mean voltage. ``transmission``:
    a chamber or diode behind the sample. ``foil``: the same behind a foil behind the sample."""
    device: str
    """Device that is read with each dwell, or a part of it, for example ``boxcar.box1``."""
    apd: str = ""
    """Device with threshold and bias of a counter: a background is valid at those of its run."""
    live_time: bool = False
    """Whether a counter is an element of an energy-dispersive detector: its photons are those of a region, and its
    gates the ticks of its live time."""
    width_error: float = Field(default=0.0, ge=0, lt=1)
    """Relative standard deviation of the dead time that follows each event of such an element."""
    saturation: float = Field(default=1.0, gt=0, le=1)
    """Hits per gate from which on a phase of a counter counts as saturated."""
    after_effects: bool | None = None
    """Whether to correct afterpulses and blinding of a counter; by default as the run."""
    pile_up: bool | None = None
    """Whether hits of a counter are corrected for further photons in the same gate; by default as the run."""
    digitised: bool = False
    """Whether the digitiser records the signal of this counter; without any, that of the first one."""
    slot: int = Field(default=0, ge=0)
    """Pump slot whose pulse a boxcar sees, by which it is compared with the counters."""
    edge: str = ""
    """Edge of a foil, for example ``Br_K``; by default that of the scan."""
    e0: KeV | None = None
    """Energy of that edge, keV; by default that of `xraydb`."""

    def document(self) -> dict[str, Any]:
        """The entry of start documents: kind, device, and what differs from the defaults."""
        given = self.model_dump(exclude_defaults=True)
        return {"kind": self.kind, "device": self.device, **given}


def detector_faults(detectors: Mapping[str, DetectorEntry], station: Station) -> Iterator[str]:
    """What is wrong with the detectors, a sentence each that names the entry and the way out."""
    seen: dict[str, str] = {}
    for name, entry in detectors.items():
        for key, device in (("device", entry.device), ("apd", entry.apd)):
            if (device or key == "device") and device.partition(".")[0] not in station.devices:
                known = f"write [devices.{device}], or one of {', '.join(station.devices) or 'none'}"
                yield f"detectors.{name}.{key}: there is no device {device}; {known}"
        if not name.isidentifier():
            yield f"detectors.{name}: a detector needs a name of letters, digits and '_' that begins with a letter"
        if entry.live_time and entry.kind != "counter":
            yield f'detectors.{name}.live_time: an element of a detector is a counter; write kind = "counter"'
        if entry.after_effects and entry.pile_up is False:
            yield f"detectors.{name}: after_effects are corrected together with pile-up; leave pile_up out"
        if entry.edge and entry.e0 is None and (why := _unknown_edge(entry.edge)):
            yield f"detectors.{name}.edge: {why}; or give e0, its energy in keV"
        if entry.device in seen:
            yield f"detectors.{name}: {entry.device} is detector {seen[entry.device]} already; remove one of them"
        seen.setdefault(entry.device, name)
    digitised = [name for name, entry in detectors.items() if entry.digitised]
    if len(digitised) > 1:
        yield f"detectors: the digitiser records one of {', '.join(digitised)}; leave digitised out of the others"
    for name in digitised:
        if detectors[name].kind != "counter":
            yield f"detectors.{name}.digitised: shots are those of a counter; leave it out"
    if detectors and not any(entry.kind == "counter" for entry in detectors.values()):
        yield "detectors: none of them is of kind counter; write one, or remove them all"


def _unknown_edge(name: str) -> str:
    """Why there is no such edge; empty if there is."""
    try:
        find_edge(name)
    except ValueError as error:
        return str(error)
    return ""
