"""What the start document of every run of a session has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from beamline.config.models import Configuration
from beamline.station.beamline import Beamline
from beamline.station.record_map import store_pv_map


def provenance(config: Configuration, beamline: Beamline, code: Mapping[str, str]) -> dict[str, Any]:
    """Metadata that stay the same during a session.

    Parameters
    ----------
    config : Configuration
    beamline : Beamline
    code : mapping
        Versions of the software, see `beamline.records.provenance.versions`.
    """
    return {
        "beamline_name": config.name,
        "mode": config.mode,
        "clock_rate": config.clock_rate,
        "cycle": config.cycle,
        "versions": code,
        "configuration_hash": config.digest(),
        "roles": beamline.roles.entries(),
        "pv_map": store_pv_map(beamline.devices(), config.data.root),
    }
