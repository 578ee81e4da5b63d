"""The published programme: which scans, how many passes, in which beam time, at which station."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TEMPERATURES = (25.0, 35.0, 40.0, 45.0, 55.0, 60.0, 65.0, 80.0, 100.0, 120.0, 140.0)
"""degC; those of lead, which include those of bromine."""
FEW = (25.0, 45.0, 120.0)
"""The same of a short rehearsal."""
SHORT = 0.2
"""Share of the campaign below which the temperatures are few: one pass at each of all would be more than the share."""
LIGHT, HEAT = "demo", "superxas"
"""Scenarios of the two stations."""
AS_PUBLISHED = {"drift": "off"}
"""The jet of the scenario is steady, and a fit of its drift after each of the passes would take as long as they do."""
BR = {"edge": "Br_K", "dwell": 1.5, "settings": AS_PUBLISHED}
"""On, off, off, on: 6 s a point in a pass."""
PB = {"edge": "Pb_L3", "dwell": 2.5, "pattern": (1, 0), "settings": AS_PUBLISHED}
"""5 s a point in a pass."""


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
class BeamTime:
    """Steps that follow each other at one station.

    Attributes
    ----------
    config, scenario : str
        Of the station, and of its simulator.
    steps : tuple of Step
    troubles : tuple of str
        Records of faults that come on the way, in order.
    counters : tuple of str
        Triggered for each dwell, instead of those of the configuration; empty for those.
    """

    config: str
    scenario: str
    steps: tuple[Step, ...]
    troubles: tuple[str, ...] = ()
    counters: tuple[str, ...] = ()


def programme(share: float) -> dict[str, BeamTime]:
    """The campaign by beam time, which do not depend on each other.

    Spectra as published: 9 scans of Br at 100 ps, 11 and 8 at 10.1 ns (8 for the slot after it), 56 and 87 of Pb; delay
    points of 36 s (Br) and six times that (Pb). Single photons are counted; the boxcar is left out.

    Parameters
    ----------
    share : float
        Of the passes.
    """
    return {
        "bromine": _light(
            ("BeamDump",),
            Step("Br 100 ps", "energy_scan", {**BR, "delay": 100.0}, 9),
            Step("Br 10.1 ns", "energy_scan", {**BR, "delay": 10_100.0}, 11 + 8),
            Step("Br trace", "delay_scan", BR, 6),
            Step("Br fluence", "fluence_scan", BR, 9),
        ),
        "lead": _light(
            ("LaserUnlocked",),
            Step("Pb 100 ps", "energy_scan", {**PB, "delay": 100.0}, 56),
            Step("Pb trace", "delay_scan", {**BR, "edge": "Pb_L3"}, 36),
            Step("Pb fluence", "fluence_scan", {**BR, "edge": "Pb_L3"}, 9),
        ),
        "lead_later": _light(
            ("BeamDump",),
            Step("Pb 10.1 ns", "energy_scan", {**PB, "delay": 10_100.0}, 87),
        ),
        "heat": BeamTime("superxas_simulated", HEAT, _heat(list(FEW if share < SHORT else TEMPERATURES))),
    }


def _light(troubles: tuple[str, ...], *steps: Step) -> BeamTime:
    return BeamTime("simulated", LIGHT, steps, troubles, ("fpga",))


def _heat(temperatures: list[float]) -> tuple[Step, ...]:
    graphite = {"temperatures": temperatures[:1], "edges": (), "exposure": 60.0}
    series = {"temperatures": temperatures, "dwell": 8.0, "exposure": 60.0, "settings": AS_PUBLISHED}
    return (
        Step("graphite", "temperature_series", graphite),
        Step("series", "temperature_series", series, 4),
    )
