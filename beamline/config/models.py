"""The configuration TOML of a beamline: prefixes, limits, checks, data root."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, FiniteFloat, PrivateAttr, ValidationError, field_validator, model_validator

from beamline.config.data_root import (
    DEFAULT,
    ConfigurationError,
    address,
    filled_root,
    packaged_names,
    read_configuration,
)
from beamline.config.detectors import DetectorEntry, detector_faults
from beamline.config.devices import DeviceEntry, Roles, Station, station_faults
from beamline.config.edges import EdgeEntry, check_entries
from beamline.config.entries import (
    CheckEntry,
    CommissioningEntry,
    Facility,
    LaserShutterEntry,
    QueueEntry,
    ReportEntry,
    Section,
    SteadyEntry,
    SuspenderEntry,
    Times,
    WatchEntry,
    XrayShutterEntry,
    format_errors,
)
from beamline.config.notify import NotifyEntry
from beamline.config.prefixes import LaserNumbers, Prefixes, prefix_faults, prefix_faults_of, translated
from beamline.config.reduction_settings import Reduction
from beamline.config.secrets import read_secret, refuse_secret

NOT_IN_ADDRESSES = "?#%"
"""Characters with a special meaning in the URI of a database file."""


class Data(Section):
    """Storage of documents."""

    root: Path = Path(DEFAULT)
    """Folder of journal, catalogue and log; relative to the working directory. ``{cycle}`` and ``{proposal}`` in it are
    replaced by those of the configuration."""
    catalogue: str = ""
    """URI of a Tiled server; empty: embedded, on SQLite, below `root`. A key in the URI is refused."""
    catalogue_key_file: Path | None = None
    """File with the API key of that server, readable by its owner alone (mode 600); without it the environment variable
    ``TILED_API_KEY`` is used."""
    min_free_gb: float = Field(default=1.0, ge=0)
    """Least free disk space to start a scan, GB."""

    @model_validator(mode="after")
    def _can_be_an_address(self) -> Data:
        odd = [each for each in NOT_IN_ADDRESSES if each in str(self.root.absolute())]
        if odd and not self.catalogue:
            raise ValueError(
                f"root: {self.root.absolute()} has {' and '.join(odd)} in it, which ends the address of the catalogue:"
                " choose another folder"
            )
        return self

    @field_validator("catalogue")
    @classmethod
    def _without_a_key(cls, address: str) -> str:
        return refuse_secret(address, "data.catalogue", "TILED_API_KEY or the file named by data.catalogue_key_file")

    def catalogue_key(self) -> str | None:
        """API key of the Tiled server from its file; None where the environment has it, or no server is used.

        Raises
        ------
        beamline.config.secrets.SecretError
        """
        return read_secret(self.catalogue_key_file) if self.catalogue and self.catalogue_key_file else None

    @property
    def catalogue_address(self) -> str:
        """URI of the Tiled server, or the folder of the embedded catalogue."""
        return address(self.catalogue, self.root)


class Control(Section):
    """Exclusive control of the beamline by one session."""

    lock: Path = Path("/var/tmp/trxas_locks")
    """Folder of the lock files, shared by all users and all machines that reach the beamline."""

    @field_validator("lock")
    @classmethod
    def _is_one_folder(cls, lock: Path) -> Path:
        if not lock.is_absolute():
            raise ValueError(f"{lock} depends on who starts the session: give an absolute path")
        return lock


class Display(Section):
    """What a session displays automatically."""

    live_figure: Literal["auto", "png", "off"] = "auto"
    """``auto``: a window if there is a display. ``png``: a file."""
    png: Path = Path("live.png")
    """The PNG file; a relative path is below the data root."""


class ShotSettings(Section):
    """Use of the shot-by-shot digitiser."""

    record: bool = False
    """Whether every scan records and reduces all its shots (26 MB/s)."""
    threshold: int = Field(default=1000, ge=-32768, le=32767)
    """A height above this is a hit, ADC units."""


class Configuration(Section):
    """Configuration of a beamline. Unknown entries are refused."""

    name: str
    """Name of the beamline, shown in the prompt and recorded in every start document."""
    mode: Literal["sim", "real"]
    """`sim` keeps Channel Access on this machine; shown in the prompt, every start document and every figure."""
    clock_rate: float = Field(default=1.0, gt=0)
    """Beamline seconds per wall second; 1 at a real beamline."""
    connect_timeout: float = Field(default=5.0, gt=0)
    """Connection timeout of records at start, wall seconds."""
    i0_channel: int = Field(default=2, ge=1, le=64)
    """Channel of the scaler that counts I0, beside `[prefixes]`; else ``channel`` of the device."""
    cycle: str = ""
    """Run cycle of the facility, for example ``2026-3``."""
    proposal: str = ""
    """Proposal; a shell prompts once for it if empty, as for sample and users."""
    sample: str = ""
    """Sample; recorded in every start document and used in file names."""
    users: tuple[str, ...] = ()
    """Names of the users."""
    devices: dict[str, DeviceEntry] = Field(default_factory=dict)
    """Devices by their names in the session and in documents."""
    roles: Roles = Roles()
    detectors: dict[str, DetectorEntry] = Field(default_factory=dict)
    """Detectors by which results are called; without any, the photon counters of the role `counters`."""
    prefixes: Prefixes | None = None
    limits: dict[str, tuple[FiniteFloat, FiniteFloat]] = Field(default_factory=dict)
    """Soft limits (low, high) of devices by their names in the session, within the limits of their records."""
    edges: dict[str, EdgeEntry] = Field(default_factory=dict)
    """Absorption edges; every element and edge is known without an entry."""
    laser: LaserNumbers = LaserNumbers()
    data: Data = Data()
    control: Control = Control()
    display: Display = Display()
    facility: Facility = Facility()
    reduction: Reduction = Reduction()
    shots: ShotSettings = ShotSettings()
    commissioning: CommissioningEntry = CommissioningEntry()
    report: ReportEntry = ReportEntry()
    queue: QueueEntry = QueueEntry()
    notify: tuple[NotifyEntry, ...] = ()
    checks: tuple[CheckEntry, ...] = ()
    suspenders: tuple[SuspenderEntry, ...] = ()
    times: Times = Times()
    watch: WatchEntry = WatchEntry()
    steady: SteadyEntry = SteadyEntry()
    laser_shutter: LaserShutterEntry = LaserShutterEntry()
    xray_shutter: XrayShutterEntry = XrayShutterEntry()
    _file: Path | None = PrivateAttr(default=None)

    @property
    def own_file(self) -> Path | None:
        """The file that the user has named; None for a packaged one. Only such a file may name classes of the user."""
        return self._file

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
    def _edges_can_be_scanned(self) -> Configuration:
        check_entries(self.edges)
        return self

    @model_validator(mode="after")
    def _sim_stays_sim(self) -> Configuration:
        old = prefix_faults(self.mode, self.prefixes.model_dump(exclude_none=True)) if self.prefixes else []
        of_detectors = detector_faults(self.detectors, self.station)
        wrong = old or [*self._overlaps(), *station_faults(self.station, self.mode), *of_detectors]
        if self.mode == "real" and self.clock_rate != 1:
            wrong.append("clock_rate is 1 at a real beamline")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    def _overlaps(self) -> list[str]:
        """Entries of the old and the new kind that exclude each other."""
        if self.prefixes is None:
            old = [name for name in ("laser", "i0_channel") if name in self.model_fields_set]
            return [f"{name}: goes with [prefixes]; give the device in [devices] its values instead" for name in old]
        both = sorted(set(translated(self.prefixes, self.laser, self.i0_channel).devices) & set(self.devices))
        return [f"devices.{name}: [prefixes] stands for a device of this name; remove one of them" for name in both]

    @property
    def station(self) -> Station:
        """Devices and roles, whether given as such or by `[prefixes]`."""
        if self.prefixes is None:
            return Station(self.devices, self.roles)
        old = translated(self.prefixes, self.laser, self.i0_channel)
        given = {role: getattr(self.roles, role) for role in self.roles.model_fields_set}
        return Station({**old.devices, **self.devices}, old.roles.model_copy(update=given))

    @property
    def root_follows_proposal(self) -> bool:
        """Whether the data root depends on the proposal."""
        return bool(self.proposal) and self.proposal in str(self.data.root)

    @property
    def energy_limits(self) -> tuple[float, float] | None:
        """Soft limits of the energy, keV."""
        return self.limits.get(self.station.roles.energy or "")

    def __repr__(self) -> str:
        """One line at the prompt; all entries are hundreds."""
        all_entries = "print(session.config.model_dump_json(indent=2)) shows all entries"
        return (
            f"<{self.name}, {self.mode}, data in {self.data.root}, {len(self.station.devices)} devices; {all_entries}>"
        )

    def digest(self) -> str:
        """Hash of all entries (first 16 hex digits of SHA-256)."""
        content = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:16]


def load(source: str | Path, **changes: object) -> Configuration:
    """Read a configuration file, or a packaged configuration by name (``simulated``, ``7idd``).

    Parameters
    ----------
    source : str or Path
    changes : object
        Top-level entries that override those in the file, for example ``clock_rate=50``.

    Raises
    ------
    ConfigurationError
        If the file is missing, is not TOML, or has unknown, missing or invalid entries, all of which are named.
    """
    path, content = read_configuration(source)
    entries = {**content, **changes}
    old, new = content.get("data"), changes.get("data")
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        entries["data"] = {**old, **new}  # changing the root keeps the other entries
    try:
        found = Configuration.model_validate(entries)
        found._file = None if str(source) in packaged_names() else path.absolute()
        return found
    except ValidationError as error:
        text = format_errors(error)
        # A missing or invalid entry prevents the comparison of prefixes: report both at once.
        also = [fault for fault in prefix_faults_of(entries) if fault not in text]
        raise ConfigurationError(f"{path}: {'; '.join([text, *also])}") from error
