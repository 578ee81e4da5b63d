"""The published programme: which scans, how many passes, at which station."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

BR_TEMPERATURES = (25.0, 35.0, 40.0, 45.0, 55.0, 60.0, 65.0, 120.0, 140.0)
"""degC; those of bromine, of which the series of both edges is made."""
FEW = (25.0, 45.0, 120.0)
"""The same of a short rehearsal."""
SHORT = 0.05
"""Share of the campaign below which the temperatures are few and the grids thin."""


@dataclass(frozen=True)
class Step:
    """One call of a plan.

    Attributes
    ----------
    name : str
        By which the record of the rehearsal knows it.
    plan : str
    arguments : mapping
    passes : int
        As published.
    """

    name: str
    plan: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    passes: int = 1

    def scaled(self, share: float) -> dict[str, Any]:
        """Arguments of a rehearsal of a share of the passes, one at least."""
        return {**self.arguments, "passes": max(1, round(share * self.passes))}


@dataclass(frozen=True)
class StationPart:
    """The steps at one station, with the names of its configuration and scenario."""

    config: str
    scenario: str
    steps: tuple[Step, ...]
    troubles: tuple[str, ...] = ()
    """Records of faults that come on the way, in order."""


def programme(share: float) -> dict[str, StationPart]:
    """The campaign by station: spectra, time traces, fluences, and the temperature series with diffraction.

    Spectra as published: 9 scans of Br at 100 ps, 11 and 8 at 10.1 ns (8 for the slot after it), 56 and 87 of Pb.

    Parameters
    ----------
    share : float
        Of the passes.
    """
    pumped = {"dwell": 1.5}
    light = (
        Step("Br 100 ps", "energy_scan", {**pumped, "edge": "Br_K", "delay": 100.0}, 9),
        Step("Br 10.1 ns", "energy_scan", {**pumped, "edge": "Br_K", "delay": 10_100.0}, 11 + 8),
        Step("Pb 100 ps", "energy_scan", {**pumped, "edge": "Pb_L3", "delay": 100.0}, 56),
        Step("Pb 10.1 ns", "energy_scan", {**pumped, "edge": "Pb_L3", "delay": 10_100.0}, 87),
        Step("Br trace", "delay_scan", {**pumped, "edge": "Br_K"}, 6),
        Step("Pb trace", "delay_scan", {**pumped, "edge": "Pb_L3"}, 36),
        Step("Br fluence", "fluence_scan", {**pumped, "edge": "Br_K"}, 9),
        Step("Pb fluence", "fluence_scan", {**pumped, "edge": "Pb_L3"}, 9),
    )
    temperatures = list(FEW if share < SHORT else BR_TEMPERATURES)
    graphite = Step("graphite", "temperature_series", {"temperatures": [25.0], "edges": (), "exposure": 60.0})
    series = Step("series", "temperature_series", {"temperatures": temperatures, "dwell": 8.0, "exposure": 60.0}, 4)
    return {
        "7-ID-D": StationPart("simulated", "demo", light, ("BeamDump", "LaserUnlocked", "BeamDump")),
        "SuperXAS": StationPart("superxas_simulated", "superxas", (graphite, series)),
    }
