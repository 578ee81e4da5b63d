"""Whether the edges of the configuration and of the proposal can be scanned here."""

from __future__ import annotations

from collections.abc import Mapping

from ophyd import Device
from ophyd.utils import LimitError
from ophyd.utils.errors import DisconnectedError

from beamline.app.doctor.finding import BAD, GOOD, NOTE, Finding
from beamline.config.edges import FILE, EdgeFileError, configured_edge, entries_of_proposal
from beamline.config.models import Configuration
from beamline.station.components import find_component
from plans.compilation.edges import Edge, packaged_entries


def check_edges(config: Configuration, devices: Mapping[str, Device]) -> list[Finding]:
    """A finding for each edge that the monochromator does not reach, and one for all entries. Moves nothing."""
    root = config.data.root
    try:
        of_proposal = entries_of_proposal(root)
    except EdgeFileError as error:
        return [Finding("edges", BAD, str(error), f"Correct {FILE} in the data root: no scan starts with it.")]
    own = list(dict.fromkeys([*config.edges, *of_proposal]))
    found = [
        Finding(f"edge {name}", NOTE, why, f"Correct [edges.{name}], or the limits of the monochromator.")
        for name in own  # those of the program are for another beamline, perhaps
        if (why := _out_of_reach(configured_edge(name, config.edges, root), config, devices))
    ]
    names = list(dict.fromkeys([*packaged_entries(), *own]))
    sources = {**dict.fromkeys(packaged_entries(), ""), **dict.fromkeys(config.edges, " of the configuration")}
    sources |= dict.fromkeys(of_proposal, f" of {FILE}")
    listed = ", ".join(f"{name}{sources[name]}" for name in names)
    return [*found, Finding("edges", GOOD, f"entries {listed}; any other element and edge by its name")]


def _out_of_reach(edge: Edge, config: Configuration, devices: Mapping[str, Device]) -> str:
    """Why the grid of an edge cannot be scanned; empty if it can, or if the records are not there."""
    ends = edge.energies[0], edge.energies[-1]
    low, high = config.energy_limits or (0.0, float("inf"))
    if not low <= ends[0] < ends[1] <= high:
        return f"its grid, {ends[0]:g} to {ends[1]:g} keV, is outside of [limits], {low:g} to {high:g} keV"
    try:
        for end in ends:
            find_component(devices, config.station.roles.energy or "").check_value(end)
    except (LimitError, ValueError) as error:
        return str(error)
    except (DisconnectedError, TimeoutError):
        return ""  # reported elsewhere, by record
    return ""
