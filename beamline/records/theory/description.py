"""The TOML file that names computed spectra: ground state, models, broadening, allowed shifts and widths."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import Field, ValidationError, model_validator

from beamline.config.entries import Section, format_errors
from beamline.records.theory.errors import TheoryError


class Spectra(Section):
    """Files of one state: one for each site and polarisation."""

    files: tuple[str, ...] = ()
    """Paths or patterns, from the folder of the TOML file."""
    weights: tuple[float, ...] = ()
    """Of the files in the order of their names; equal by default."""
    measured: str = ""
    """Instead of `files`, of a model: a measured difference, columns ``energy_keV``, ``difference`` and
    ``difference_stddev``, as `trxas compare` writes it."""

    @model_validator(mode="after")
    def _one_kind(self) -> Spectra:
        if bool(self.files) == bool(self.measured):
            raise ValueError("name either files or measured")
        return self


class Broadening(Section):
    """Lorentzian lifetime broadening, full width at half maximum, eV."""

    start: float = Field(default=0.3, gt=0)
    """Width at the zero of the energy."""
    most: float = Field(default=6.0, gt=0)
    """Largest width."""
    centre: float = Field(default=16.0, gt=0)
    """Inflection point of the width."""
    rise: float = Field(default=30.0, gt=0)
    """Energy over which the width grows."""


class Allowed(Section):
    """What the fit of a model may change."""

    shift: float = Field(default=1.0, ge=0, le=20)
    """Largest shift against the ground state, eV."""
    shifts: int = Field(default=41, ge=1, le=201)
    """Number of shifts."""
    narrowest: float = Field(default=0.7, gt=0)
    """Smallest factor of all widths."""
    widest: float = Field(default=1.6, gt=0)
    """Largest factor of all widths."""
    widths: int = Field(default=10, ge=1, le=51)
    """Number of widths."""

    @model_validator(mode="after")
    def _ordered(self) -> Allowed:
        if self.narrowest > self.widest:
            raise ValueError(f"narrowest {self.narrowest:g} is above widest {self.widest:g}")
        return self


class Theory(Section):
    """A set of computed spectra for one absorption edge."""

    edge: str
    """Name of the edge, for example ``Br_K``."""
    zero: float = 0.0
    """Energy of the top of the valence band in the files, eV."""
    ground: Spectra
    """The ground state."""
    models: dict[str, Spectra] = Field(min_length=1)
    """Excited states by name, for example ``polaron``, ``cubic``, ``heat``."""
    broadening: Broadening = Broadening()
    """Lifetime broadening."""
    allowed: Allowed = Allowed()
    """Shifts and widths that are tried."""

    @model_validator(mode="after")
    def _computed_ground(self) -> Theory:
        if self.ground.measured:
            raise ValueError("ground: the ground state is computed: name its files")
        return self


def read_theory(path: Path) -> Theory:
    """Read the TOML file.

    Raises
    ------
    TheoryError
        If it is missing, is not TOML, or has unknown, missing or invalid entries.
    """
    try:
        return Theory.model_validate(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except OSError as error:
        raise TheoryError(f"{path}: {error.strerror}; it is a TOML file that names computed spectra") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TheoryError(f"{path} is not a TOML file: {error}") from error
    except ValidationError as error:
        raise TheoryError(f"{path}: {format_errors(error)}") from error
