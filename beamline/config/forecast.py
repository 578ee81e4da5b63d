"""Forecast files: sample, beam, detector and expected transient of a measurement that is still to be made."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError, model_validator

from beamline.config.entries import Section, format_errors

Array = NDArray[np.float64]


class ForecastFileError(ValueError):
    """A forecast file is invalid; the message names file and entry."""


class SampleForecast(Section):
    """The sample."""

    edge: str
    """Absorption edge, for example ``Br_K``."""
    concentration: float = Field(default=0.1, gt=0)
    """Of the absorbing element, mol/L."""
    thickness: float = Field(default=200.0, gt=0)
    """Of jet or cell along the beam, um."""
    solvent: str = "H2O"
    """Formula of what it is dissolved in."""
    density: float = Field(default=1.0, gt=0)
    """Of the solvent, g/cm3."""
    spectrum: Path | None = None
    """File with two columns, energy (keV) and absorption in edge steps; by default a step of the core-hole width."""
    background: float = Field(default=0.5, ge=0)
    """Light that does not come from the edge (scatter, other lines), over the edge step."""


class BeamForecast(Section):
    """The beam and its fill pattern; by default 24 bunches at the Advanced Photon Source before its upgrade."""

    flux: float = Field(default=1e12, gt=0)
    """Photons a second on the sample, without attenuation."""
    attenuation: float = Field(default=1.0, gt=0, le=1)
    """Transmission of the attenuators."""
    bunch_rate: float = Field(default=6.5173e6, gt=0)
    """Bunches a second."""
    divider: int = Field(default=5, ge=2)
    """Bunches for each laser pulse: slots."""


class DetectorForecast(Section):
    """Detector and noise."""

    solid_angle: float = Field(default=0.01, gt=0, le=1)
    """Fraction of the sphere, of all detectors together."""
    efficiency: float = Field(default=0.5, gt=0, le=1)
    """With windows and filters."""
    detectors: int = Field(default=1, ge=1)
    """Photon counters of this solid angle each."""
    noise: float = Field(default=0.01, ge=0, lt=1)
    """Relative noise of a dwell beyond counting: jet, and flux that I0 does not measure."""
    i0_noise: float = Field(default=1e-3, ge=0, lt=1)
    """Relative noise of an I0 reading."""
    dwell: float = Field(default=1.5, gt=0)
    """Of one count, s."""


class TransientForecast(Section):
    """The expected transient, at `delay` and at the fluence of the measurement."""

    file: Path | None = None
    """File with two columns, energy (keV) and change of the absorption in edge steps."""
    shift: float | None = None
    """Instead: shift of the whole spectrum on excitation, eV."""
    fraction: float = Field(default=0.01, gt=0, le=1)
    """Of the sample that is excited, with `shift`; a factor of the file's column otherwise."""
    delay: float = 100.0
    """Pump-probe delay of the transient, ps."""
    lifetimes: tuple[float, ...] = (120.0, 900.0, 155e3)
    """ps, ascending."""
    shares: tuple[float, ...] = (0.60, 0.21, 0.19)
    """Of each lifetime, at delay 0."""
    saturation: float | None = Field(default=None, gt=0)
    """Fluence at which the signal would reach its plateau, mJ/cm2."""

    @model_validator(mode="after")
    def _check(self) -> TransientForecast:
        if (self.file is None) == (self.shift is None):
            raise ValueError("give either file or shift")
        if len(self.lifetimes) != len(self.shares) or not all(one > 0 for one in self.lifetimes):
            raise ValueError("lifetimes must be above 0 ps, and as many as shares")
        return self

    def held(self, time: Array) -> Array:
        """Transient at times after the pump (ps), 1 at `delay`; 0 before time zero."""
        return np.asarray(self.decay(time) / self.decay(np.array(self.delay)))

    def decay(self, time: Array) -> Array:
        """Sum of the shares that are left at times after the pump (ps); 0 before time zero."""
        late = np.maximum(time, 0.0)
        parts = [share * np.exp(-late / one) for share, one in zip(self.shares, self.lifetimes, strict=True)]
        return np.where(time >= 0, sum(parts), 0.0)


class FunctionForecast(Section):
    """A quantity of your own: a function of the points (N,) and the transients (slots, N) of one scan."""

    file: Path
    """Python file, relative to the forecast file."""
    function: str = ""
    """Its name in that file; by default that of the quantity."""
    scan: Literal["energy", "delay", "fluence"] = "energy"
    """Whose points and transients it gets."""
    unit: str = ""
    """Of its value."""


class ForecastFile(Section):
    """A forecast file (TOML)."""

    sample: SampleForecast
    beam: BeamForecast = BeamForecast()
    detector: DetectorForecast = DetectorForecast()
    transient: TransientForecast
    delays: tuple[float, ...] = (100.0,)
    """Pump-probe delays of energy scans, ps."""
    delay_scan: tuple[float, ...] = ()
    """Delays of a delay scan at the largest transient, ps."""
    fluences: tuple[float, ...] = ()
    """Fluences of a fluence scan there, mJ/cm2."""
    revolution: float = Field(default=271.554e3, gt=0)
    """Revolutions of the ring a second, for `fills`."""
    fills: tuple[int, ...] = (48,)
    """Numbers of equal bunches of other fill patterns, for comparison: as many photons a second in all."""
    passes: int = Field(default=4, ge=1)
    """Passes in which the time is distributed."""
    functions: dict[str, FunctionForecast] = Field(default_factory=dict)
    """Quantities of your own by name."""
    targets: dict[str, float | str | tuple[float, float]]
    """Quantities, each with its wanted standard error: a number, ``"10 %"``, ``"5 sigma"`` or an interval."""


def read_forecast(path: Path) -> ForecastFile:
    """Read a forecast file; files that it names stand beside it.

    Raises
    ------
    ForecastFileError
        Naming file and entry.
    """
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
        found = ForecastFile.model_validate(given)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ForecastFileError(f"{path}: {error}") from error
    except ValidationError as error:
        raise ForecastFileError(f"{path}: {format_errors(error)}") from error
    sample, transient = found.sample, found.transient
    return found.model_copy(update={
        "sample": sample.model_copy(update={"spectrum": _beside(path, sample.spectrum)}),
        "transient": transient.model_copy(update={"file": _beside(path, transient.file)}),
        "functions": {
            name: entry.model_copy(update={"file": _beside(path, entry.file)})
            for name, entry in found.functions.items()
        },
    })  # fmt: skip


def _beside(path: Path, name: Path | None) -> Path | None:
    return None if name is None else path.parent / name


def two_columns(path: Path) -> tuple[Array, Array]:
    """Energies (keV, ascending) and values of a file.

    Raises
    ------
    ForecastFileError
    """
    try:
        table = np.loadtxt(path, delimiter="," if path.suffix == ".csv" else None, ndmin=2)
    except (OSError, ValueError) as error:
        raise ForecastFileError(f"{path}: {error}") from error
    if table.shape[1] < 2 or len(table) < 2 or not np.isfinite(table).all() or not (np.diff(table[:, 0]) > 0).all():
        raise ForecastFileError(f"{path}: needs two columns of numbers, energies in keV, ascending")
    return table[:, 0], table[:, 1]
