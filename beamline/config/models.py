"""The one TOML file that says which beamline this is: prefixes, limits, checks, where the data go."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, FiniteFloat, ValidationError, model_validator

from beamline.config.data_root import filled_root
from beamline.config.entries import CheckEntry, LaserShutter, Section, SuspenderEntry, Times, XrayShutter

SIMULATED = "simulated"
SIM_PREFIX = "sim:"


class ConfigurationError(Exception):
    """The configuration cannot be used; the message names every entry that is wrong."""


class Prefixes(Section):
    """What stands before the suffixes of each device."""

    mono: str
    """Monochromator with its Kohzu sequencer."""
    scaler: str
    """Scaler record that counts I0; the record itself."""
    i0_amplifier: str
    """Gain and dark rate of the I0 amplifier."""
    fpga: str
    """Photon counter."""
    laser: str
    """Pump laser: lock, pulse energy, shutter."""
    wave_plate: str
    """Motor record of the wave plate; the record itself."""
    delay: str
    """Delay generator."""
    fine_delay: str
    """Phase shifter for the fine delay."""
    timing: str
    """RF, bunches and divider."""
    ring: str
    """Current, mode and permit of the storage ring; may be empty."""
    xray_shutter: str
    """X-ray shutter of the station."""
    jet: str
    """Flow of the liquid jet."""
    stage: str
    """Sample stage, before the names of its motor records."""
    optics_server: str
    """Where the heartbeat is of the server of monochromator and X-ray shutter."""
    station_server: str
    """Where the heartbeat is of the server of everything in the station."""
    apd: str | None = None
    """Detector and discriminator; leave it out where they have no records."""
    boxcar: str | None = None
    """Boxcar averager; leave it out where there is none."""
    digitiser: str | None = None
    """Shot-by-shot digitiser; leave it out where there is none."""


class LaserNumbers(Section):
    """What has been measured of the pump laser."""

    full_energy_uj: float = Field(default=0.357, gt=0)
    """Pulse energy with the wave plate 45 deg from extinction."""
    extinction_deg: float = Field(default=0.0, ge=-360, le=360)
    """Angle of the wave plate at which no light comes through."""
    spot_um: tuple[float, float] = (45.0, 50.0)
    """Full widths at half maximum of the laser spot, along and across the jet."""


class Data(Section):
    """Where documents go."""

    root: Path = Path("trxas_data")
    """Folder of journal, catalogue and log; relative to where the program is started. ``{cycle}`` and ``{proposal}``
    in it stand for those of the configuration."""
    catalogue: str = ""
    """URI of a Tiled server; empty: embedded, on SQLite, below `root`."""
    min_free_gb: float = Field(default=1.0, ge=0)
    """No scan starts with less free disk than this, GB."""

    @property
    def catalogue_address(self) -> str:
        """URI of the Tiled server, or the folder of the embedded catalogue."""
        return self.catalogue or str(self.root / "catalogue")


class Display(Section):
    """What a session shows by itself."""

    live_figure: Literal["auto", "png", "off"] = "auto"
    """``auto``: a window, where there is a display. ``png``: a file."""
    png: Path = Path("live.png")
    """That file; a relative path is below the data root."""


class Facility(Section):
    """Where a beamline stands: for files that others read."""

    name: str = "Advanced Photon Source"
    """Of the facility."""
    source: str = "undulator"
    """Kind of X-ray source."""
    crystal: str = "diamond(111)"
    """Of the monochromator."""
    d_spacing_angstrom: float = Field(default=2.0593, gt=0)
    """Of that crystal and reflection."""


class Reduction(Section):
    """Numbers of this beamline that the reduction needs."""

    i0_noise: float = Field(default=1e-3, ge=0, lt=1)
    """Relative standard deviation of one I0 reading."""


class ShotSettings(Section):
    """What is done with the shot-by-shot digitiser."""

    record: bool = False
    """Whether every scan writes all its shots and reduces them: 26 MB a second."""
    threshold: int = Field(default=1000, ge=-32768, le=32767)
    """A height above this is a hit, ADC units."""


class Configuration(Section):
    """A beamline. Unknown entries are refused."""

    name: str
    """Of the beamline; in the prompt and in every start document."""
    mode: Literal["sim", "real"]
    """`sim` keeps Channel Access on this machine; stands in the prompt, in every start document and on every figure."""
    clock_rate: float = Field(default=1.0, gt=0)
    """Beamline seconds per wall second; 1 at a real beamline."""
    connect_timeout: float = Field(default=5.0, gt=0)
    """Wall seconds that records have to answer within at start."""
    i0_channel: int = Field(default=2, ge=1, le=64)
    """Channel of the scaler that counts I0."""
    cycle: str = ""
    """Run cycle of the facility, for example ``2026-3``."""
    proposal: str = ""
    """Asked once at the start of a shell where it is empty, as sample and users are."""
    sample: str = ""
    """Written into every start document and into names of files."""
    users: tuple[str, ...] = ()
    """Who measures."""
    prefixes: Prefixes
    limits: dict[str, tuple[FiniteFloat, FiniteFloat]] = Field(default_factory=dict)
    """Lowest and highest place of devices by their names in the session, inside the limits of their records."""
    laser: LaserNumbers = LaserNumbers()
    data: Data = Data()
    display: Display = Display()
    facility: Facility = Facility()
    reduction: Reduction = Reduction()
    shots: ShotSettings = ShotSettings()
    checks: tuple[CheckEntry, ...] = ()
    suspenders: tuple[SuspenderEntry, ...] = ()
    times: Times = Times()
    laser_shutter: LaserShutter = LaserShutter()
    xray_shutter: XrayShutter = XrayShutter()

    @model_validator(mode="before")
    @classmethod
    def _fill_root(cls, entries: Any) -> Any:
        data = entries.get("data") if isinstance(entries, Mapping) else None
        root = data.get("root") if isinstance(data, Mapping) else None
        if not isinstance(root, str) or not isinstance(data, Mapping):
            return entries
        values = {key: str(entries.get(key, "")) for key in ("cycle", "proposal")}
        return {**entries, "data": {**data, "root": filled_root(root, values)}}

    @model_validator(mode="after")
    def _limits_have_an_inside(self) -> Configuration:
        inverted = [f"{name} = [{low:g}, {high:g}]" for name, (low, high) in self.limits.items() if not low < high]
        if inverted:
            raise ValueError(f"limits: the lower one comes first: {', '.join(inverted)}")
        return self

    @model_validator(mode="after")
    def _sim_stays_sim(self) -> Configuration:
        wrong = prefix_faults(self.mode, self.prefixes.model_dump(exclude_none=True))
        if self.mode == "real" and self.clock_rate != 1:
            wrong.append("clock_rate is 1 at a real beamline")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    @property
    def root_follows_proposal(self) -> bool:
        """Whether the data root is that of the proposal."""
        return bool(self.proposal) and self.proposal in str(self.data.root)

    def digest(self) -> str:
        """Hash of everything in it (first 16 hex digits of SHA-256)."""
        content = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:16]


MAY_BE_EQUAL = frozenset({"ring", "stage", "optics_server", "station_server"})
"""Prefixes that may stand elsewhere too: those of records which share a name space with other devices."""


def prefix_faults(mode: str, prefixes: Mapping[str, str]) -> list[str]:
    """What is wrong with the prefixes as a whole, a sentence each."""
    real = [name for name, prefix in prefixes.items() if not prefix.startswith(SIM_PREFIX)]
    found = []
    if mode == "sim" and real:
        found.append(f"mode is sim, but these prefixes do not begin with '{SIM_PREFIX}': {', '.join(real)}")
    if mode == "real" and len(real) < len(prefixes):
        simulated = ", ".join(name for name in prefixes if name not in real)
        found.append(f"mode is real, but some prefixes begin with '{SIM_PREFIX}': {simulated}")
    own = {name: prefix for name, prefix in prefixes.items() if name not in MAY_BE_EQUAL}
    empty = [name for name, prefix in own.items() if not prefix.strip()]
    if empty:
        found.append(f"these prefixes are empty: {', '.join(empty)}")
    doubled = [name for name in own if name not in empty and list(own.values()).count(own[name]) > 1]
    if doubled:
        found.append(f"the same prefix stands at {', '.join(sorted(doubled))}")
    return found


def _prefix_faults_of(entries: Mapping[str, object]) -> list[str]:
    prefixes = entries.get("prefixes")
    if not isinstance(prefixes, Mapping):
        return []
    return prefix_faults(str(entries.get("mode")), {k: v for k, v in prefixes.items() if isinstance(v, str)})


def load(source: str | Path, **changes: object) -> Configuration:
    """Read a configuration file, or one that comes with the package by its name (``simulated``, ``7idd``).

    Parameters
    ----------
    source : str or Path
    changes : object
        Top-level entries to put in place of those in the file, for example ``clock_rate=50``.

    Raises
    ------
    ConfigurationError
        If the file is not there, is not TOML, or has unknown, missing or impossible entries, all named.
    """
    packaged = files("beamline.config") / "configurations" / f"{source}.toml"
    path = Path(str(packaged)) if packaged.is_file() else Path(source)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(
            f"no configuration file {source}; give a path, or one of {', '.join(packaged_names())}"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not a TOML file: {error}") from error
    entries = {**content, **changes}
    try:
        return Configuration.model_validate(entries)
    except ValidationError as error:
        text = _format_errors(error)
        # Where an entry is missing or impossible nobody has compared the prefixes yet: tell everything at once.
        also = [fault for fault in _prefix_faults_of(entries) if fault not in text]
        raise ConfigurationError(f"{path}: {'; '.join([text, *also])}") from error


def packaged_names() -> list[str]:
    """Names of the configurations that come with the package."""
    folder = files("beamline.config") / "configurations"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def _format_errors(error: ValidationError) -> str:
    """All that is wrong on one line."""
    parts = []
    for item in error.errors():
        where = ".".join(str(part) for part in item["loc"])
        text = {"extra_forbidden": "is not a known entry", "missing": "is missing"}.get(
            item["type"], item["msg"].removeprefix("Value error, ")
        )
        parts.append(f"{where}: {text}" if where else text)
    return "; ".join(parts)
