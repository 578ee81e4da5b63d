"""Every sum equals that of its good dwells, computed here by plain numpy, without the reduction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.chaos.violation import require

AGREEMENT = 1e-9
"""Largest relative difference; the two add in another order."""
SUMMED = ("off", "on")

Documents = list[tuple[str, dict[str, Any]]]
Data = Mapping[str, Any]


def sums_are_those_of_their_good_dwells(raw: Documents, reduced: Documents) -> None:
    """Compare the last sum of each point of a reduced run with the dwells of the raw run."""
    (run,) = (document["uid"] for name, document in reduced if name == "start")
    timing = next(events_of(raw, "primary", configuration="timing"))
    good = _good_dwells(events_of(raw, "primary"))
    sums = {int(data["point_index"]): data for data in events_of(reduced, "points")}
    saturated = any(np.any(data["fpga_counts"] >= data["fpga_gates"]) for dwells in good.values() for data in dwells)
    for point, data in sums.items():
        for laser, key in enumerate(SUMMED):
            dwells = [each for each in good.get(point, []) if each["laser_on"] == laser]
            number = int(data[f"dwells_{key}"])
            require(number == len(dwells), f"point {point} of {run[:8]} sums {number} dwells {key}, not {len(dwells)}")
            if dwells and not saturated:  # a saturated bunch leaves sums that were stored before, too
                expected = _rate(dwells, timing)
                off = np.max(np.abs(data[key] / expected - 1))
                require(off < AGREEMENT, f"{key} of point {point} of {run[:8]} is {off:.2g} off the sum of its dwells")


def events_of(documents: Documents, stream: str, configuration: str = "") -> Iterable[Data]:
    """Data of the events of a stream, in order; or the configuration of a device, once for each descriptor."""
    descriptors = {doc["uid"]: doc for name, doc in documents if name == "descriptor" and doc["name"] == stream}
    if configuration:
        yield from (doc["configuration"][configuration]["data"] for doc in descriptors.values())
        return
    yield from (doc["data"] for name, doc in documents if name == "event" and doc["descriptor"] in descriptors)


def _good_dwells(dwells: Iterable[Data]) -> dict[int, list[Data]]:
    """By point; the last dwell of each segment, and those of the last visit alone: its first segment begins another."""
    last: dict[int, dict[int, Data]] = {}
    for data in dwells:
        point, segment = int(data["point_index"]), int(data["segment"])
        if segment == 0:
            last[point] = {}
        last[point][segment] = data
    return {
        point: [data for data in segments.values() if data["quality"] == "good"] for point, segments in last.items()
    }


def _rate(dwells: list[Data], timing: Data) -> NDArray[np.float64]:
    """Photons per I0 count in each slot: sums of photons, corrected for pile-up, over those of I0."""
    photons, flux = np.zeros(int(timing["timing_laser_divider"])), 0.0
    for data in dwells:
        hits, gates = np.asarray(data["fpga_counts"], float), np.asarray(data["fpga_gates"], float)
        mu = -np.log(1 - hits / gates) - hits / (2 * gates * (gates - hits))
        slots = (np.arange(hits.size) - int(data["laser_phase"])) % photons.size
        photons += gates.mean() * np.array([mu[slots == slot].mean() for slot in range(photons.size)])
        counts = (data["i0"] / data["i0_time"] - data["i0_dark"]) / data["i0_gain"]
        flux += gates.mean() * counts / timing["timing_bunch_rate"]
    return photons / flux
