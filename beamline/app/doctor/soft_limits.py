"""Whether the soft limits of the configuration lie inside those of the records."""

from __future__ import annotations

from collections.abc import Mapping

from ophyd import Device

from beamline.app.doctor.finding import BAD, GOOD, Finding
from beamline.config.models import Configuration
from beamline.station.limits import limit_faults


def check_soft_limits(config: Configuration, devices: Mapping[str, Device]) -> list[Finding]:
    """A finding for each that does not, or one for all; empty if the configuration has no limits."""
    if not config.limits:
        return []
    found = [
        Finding(f"limits of {path}", BAD, why, f"Correct {path} in [limits], or the limits of the record.")
        for path, why in limit_faults(config, devices)
    ]
    return found or [Finding("soft limits", GOOD, f"{len(config.limits)}, all inside those of the records")]
