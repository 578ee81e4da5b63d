"""Configurations of simulated beamlines for tests, and a short grid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from beamline.config.models import Configuration, load

ENERGIES = [13.450, 13.455, 13.460, 13.468, 13.472, 13.4765, 13.49, 13.53, 13.57]
FEATURE = 4


def configuration(
    root: Path, prefix: str = "sim:", clock_rate: float = 200.0, waiting: bool = False, **changes: Any
) -> Configuration:
    """The packaged simulated configuration for a simulator with another prefix.

    A test that raises a fault does not wait for its end unless requested.
    """
    given: dict[str, Any] = {
        "clock_rate": clock_rate,
        "connect_timeout": 40.0,  # simulators stopped by earlier tests are searched, too
        "data": {"root": str(root), "min_free_gb": 0.01},
        "control": {"lock": str(root.absolute().parent / "locks")},  # nothing of a test stays at the place of all
        "display": {"live_figure": "off"},  # no window during tests
        "suspenders": (),
        **changes,
    }
    config = load("simulated", **given)
    prefixes = {name: value.replace("sim:", prefix, 1) for name, value in config.prefixes.model_dump().items()}
    checks = config.checks if waiting else tuple(check.model_copy(update={"waits": 0.0}) for check in config.checks)
    return config.model_copy(update={"prefixes": config.prefixes.model_copy(update=prefixes), "checks": checks})
