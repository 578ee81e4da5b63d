"""Configuration files for commands: the packaged simulated one with changes."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from tests.beamline.configurations import CONNECT_TIMEOUT
from tests.helpers.ioc_process import ROOT


def simulated_text(**replacements: str) -> str:
    """Text of the packaged simulated configuration, with some of its lines replaced."""
    text = (files("beamline.config") / "configurations" / "simulated.toml").read_text()
    for old, new in replacements.items():
        assert old in text
        text = text.replace(old, new)
    return text


def prefixes_text(**replacements: str) -> str:
    """Text of an old configuration with ``[prefixes]``, with some of its lines replaced."""
    text = (ROOT / "tests" / "data" / "prefixes.toml").read_text()
    for old, new in replacements.items():
        assert old in text
        text = text.replace(old, new)
    return text


def write_config(folder: Path, **replacements: str) -> Path:
    """File for the shared simulated beamline: data and locks in a folder, 200 times faster, no window."""
    path = folder / "beamline.toml"
    changes = {
        'root = "trxas_data"': f'root = "{folder / "data"}"\nmin_free_gb = 0.01',
        "clock_rate = 1.0": f"clock_rate = 200.0\nconnect_timeout = {CONNECT_TIMEOUT}",
        'live_figure = "auto"': 'live_figure = "off"',
        'lock = "/var/tmp/trxas_locks"': f'lock = "{folder / "locks"}"',
    }
    path.write_text(simulated_text(**changes, **replacements))
    return path
