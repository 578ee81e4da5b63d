"""Which roles have a device, and which do not."""

from __future__ import annotations

from beamline.app.doctor.finding import GOOD, Finding
from beamline.config.devices import Roles


def check_roles(roles: Roles) -> Finding:
    """One finding for all roles; plans that need one without a device are refused."""
    given = roles.entries()
    played = ", ".join(
        f"{role} {names if isinstance(names, str) else ' and '.join(names)}" for role, names in given.items()
    )
    without = ", ".join(role for role in type(roles).model_fields if role not in given)
    return Finding("roles", GOOD, played + (f"; no device for {without}" if without else ""))
