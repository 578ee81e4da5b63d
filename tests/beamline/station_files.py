"""Configuration files of other stations for tests: packaged ones with the prefix of a test's own simulator."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from beamline.config.models import Configuration, load
from tests.beamline.configurations import CONNECT_TIMEOUT

CHAMBERS = """
[devices.it]
class = "scaler_channel"
prefix = "sim:7idd:scaler1"
channel = 3
dark = 100.0
[devices.ifoil]
class = "scaler_channel"
prefix = "sim:7idd:scaler1"
channel = 4
dark = 100.0
[detectors.diode]
kind = "transmission"
device = "it"
[detectors.foil1]
kind = "foil"
device = "ifoil"
edge = "Br_K"
"""
"""Entries of a diode and of a chamber behind a foil, which the simulator has with a table ``[transmission]``."""


def station_text(name: str, prefix: str = "sim:", **replacements: str) -> str:
    """Text of a packaged configuration, with another prefix and some of its lines replaced."""
    text = (files("beamline.config") / "configurations" / f"{name}.toml").read_text()
    for old, new in replacements.items():
        assert old in text, old
        text = text.replace(old, new)
    return text.replace('"sim:', f'"{prefix}')


def load_station(
    folder: Path, name: str, prefix: str = "sim:", clock_rate: float = 200.0, more: str = "", **replacements: str
) -> Configuration:
    """A packaged configuration with data and locks in a folder, read from a file there; `more` is put at its end."""
    path = folder / "station.toml"
    path.write_text(f"{station_text(name, prefix, **replacements)}\n{more}")
    return load(
        path,
        clock_rate=clock_rate,
        connect_timeout=CONNECT_TIMEOUT,
        data={"root": str(folder / "data"), "min_free_gb": 0.01},
        control={"lock": str(folder / "locks")},
        display={"live_figure": "off"},
        suspenders=(),
    )
