"""The roles that a compiled scan needs devices for."""

from __future__ import annotations

from plans.compilation.compiled_scan import CompiledScan
from plans.protocols import AxisName, MissingRoleError

AXES: tuple[AxisName, ...] = ("energy", "delay", "fluence", "temperature")


def needed_roles(compiled: CompiledScan) -> dict[str, str]:
    """Roles of a scan, and for each what is not possible without a device."""
    passes = compiled.passes
    positions = [here for one in passes for here in one.positions]
    found: dict[str, str] = {
        axis: f"the {axis} cannot be set" for axis in AXES if any(getattr(here, axis) is not None for here in positions)
    }
    if any(1 in one.dwell_settings.pattern for one in passes):
        found["laser_shutter"] = "dwells with the laser on are not possible, pattern=(0,) with delay=None is"
    if not all(one.xray for one in passes):
        found["xray_shutter"] = "a run without X-rays is not possible"
    if any(one.sweep for one in passes):
        found["sweep"] = "the energy cannot be swept, energy_scan goes from point to point"
    if any(one.images for one in passes):
        found["area_detector"] = "an image is not possible, diffraction=None leaves it out"
    if compiled.stops_early:
        found["timing"] = "the error of a target cannot be predicted"
    return found


def refuse_missing_roles(compiled: CompiledScan, devices: object) -> None:
    """Refuse a scan that needs a device which a beamline lacks.

    Parameters
    ----------
    compiled : CompiledScan
    devices : object
        Has an attribute for each role, which is None where there is no device.

    Raises
    ------
    MissingRoleError
    """
    for role, what in needed_roles(compiled).items():
        if getattr(devices, role) is None:
            raise MissingRoleError(role, what)
