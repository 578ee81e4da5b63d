"""Beam time of findings on the default sample: typical, since they count until they know enough."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from plans.compilation.estimate import Duration

MEASURED: Mapping[str, float] = {
    "find_crystal": 10.0,
    "find_threshold": 16.0,
    "find_gate": 26.0,
    "find_windows": 3.0,
    "find_energy": 80.0,
    "find_time_zero": 550.0,
    "find_overlap": 140.0,
    "find_flux": 36.0,
    "find_jet": 60.0,
    "find_knife": 25.0,
    "find_focus": 25.0,
}
"""Beamline seconds of one measurement, moves included; ``apply=True`` takes two."""
WHOLE: Mapping[str, float] = {"commission": 1210.0, "check_all": 130.0}
"""Beamline seconds of plans that make several findings."""


def expected(plan: Callable[..., Any], arguments: Mapping[str, Any]) -> Duration | None:
    """Typical beam time of a finding; None for any other plan.

    Parameters
    ----------
    plan : callable
    arguments : mapping
        Its keyword arguments.
    """
    name = getattr(plan, "__name__", "")
    if name in WHOLE:
        return Duration(WHOLE[name])
    return Duration(MEASURED[name] * (2 if arguments.get("apply") else 1)) if name in MEASURED else None


def print_expected(plan: Callable[..., Any], arguments: Mapping[str, Any]) -> Duration | None:
    """The same, and prints it: the preview of a finding."""
    if (duration := expected(plan, arguments)) is not None:
        print(
            f"{plan.__name__}: about {duration.total / 60:.2g} min of beam on the default sample; it counts until it"
            " knows enough. What it moves is afterwards as before, or as found with apply=True."
        )
    return duration
