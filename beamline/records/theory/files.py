"""Computed spectra in columns: `xanes.dat` of XSpectra (Quantum ESPRESSO), or energy and cross section."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from beamline.records.importing.errors import ImportRefusedError
from beamline.records.importing.readers.columns import read_columns
from beamline.records.importing.rows import header_and_rows, lines_of, numbers_of
from beamline.records.theory.description import Spectra
from beamline.records.theory.errors import TheoryError
from reduction.errors import ReductionError
from reduction.theory.average import FEWEST, ComputedSpectrum, average

Array = NDArray[np.float64]

LARGEST = 64 << 20
"""Bytes of a file."""
HIGHEST = 2000.0
"""eV above the valence band; what lies higher is an energy of the photon, or in another unit."""
NARROWEST = 15.0
"""eV that a computed spectrum spans at least; one of 200 eV in keV or rydberg spans less."""
MEASURED = ("energy_keV", "difference", "difference_stddev")


@dataclass(frozen=True)
class MeasuredDifference:
    """A measured difference of two spectra; energies in keV, ascending."""

    energy: Array
    value: Array
    stddev: Array


def read_state(spectra: Spectra, folder: Path, zero: float) -> ComputedSpectrum:
    """The average of the files of one state.

    Parameters
    ----------
    spectra : Spectra
    folder : Path
        From which the patterns are resolved.
    zero : float, eV
        Top of the valence band in the files.

    Raises
    ------
    TheoryError
        If a pattern matches nothing, a file cannot be used, or there are not as many weights as files.
    """
    paths: list[Path] = []
    for pattern in spectra.files:
        matched = sorted(each for each in _matches(folder, pattern) if each.is_file())
        if not matched:
            raise TheoryError(f"{folder / pattern}: no such file")
        paths += [each for each in matched if each not in paths]
    weights = spectra.weights or (1.0,) * len(paths)
    if len(weights) != len(paths):
        names = ", ".join(each.name for each in paths)
        raise TheoryError(f"{len(weights)} weights for {len(paths)} files ({names}): one weight for each")
    try:
        return average([read_computed(path, zero) for path in paths], weights)
    except ReductionError as error:
        raise TheoryError(f"{', '.join(map(str, spectra.files))}: {error}") from error


def _matches(folder: Path, pattern: str) -> list[Path]:
    path = Path(pattern)
    return list(
        Path(path.anchor).glob(str(path.relative_to(path.anchor))) if path.is_absolute() else folder.glob(pattern)
    )


def _text(path: Path) -> str:
    if not path.is_file():
        raise TheoryError(f"{path}: it is no file" if path.exists() else f"{path}: no such file")
    try:
        if path.stat().st_size > LARGEST:
            raise TheoryError(f"{path}: {path.stat().st_size} bytes are no table of a spectrum")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise TheoryError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise TheoryError(f"{path}: not a text file") from error


def read_computed(path: Path, zero: float = 0.0) -> ComputedSpectrum:
    """A computed spectrum: energy (eV) and cross section in the first two columns; further ones are not read.

    Raises
    ------
    TheoryError
        If it has no rows of numbers, energies do not ascend or are in another unit, or a value is not finite.
    """
    try:
        values = numbers_of(header_and_rows(lines_of(_text(path)))[1]).values
    except ImportRefusedError as error:
        raise TheoryError(f"{path}: {error}") from error
    if values.shape[1] < 2 or len(values) < FEWEST:
        raise TheoryError(
            f"{path}: {len(values)} rows of {values.shape[1]} columns; a spectrum has energy and cross section, and"
            f" {FEWEST} rows at least"
        )
    energy, value = values[:, 0] - zero, values[:, 1]
    if not np.isfinite(values[:, :2]).all():
        raise TheoryError(f"{path}: row {int(np.argmin(np.isfinite(values[:, :2]).all(axis=1))) + 1} is not finite")
    if (np.diff(energy) <= 0).any():
        raise TheoryError(f"{path}: energies do not ascend after {values[int(np.argmax(np.diff(energy) <= 0)), 0]:g}")
    if np.ptp(energy) < NARROWEST or np.abs(energy).max() > HIGHEST:
        raise TheoryError(
            f"{path}: energies {values[0, 0]:g} to {values[-1, 0]:g}: they are eV, and `zero` is the top of the"
            " valence band among them"
        )
    if not value.max() > 0:
        raise TheoryError(f"{path}: no cross section above 0")
    return ComputedSpectrum(energy, value)


def read_measured(path: Path) -> MeasuredDifference:
    """A measured difference, as `trxas compare` writes it.

    Raises
    ------
    TheoryError
        If columns are missing or an error is not above 0.
    """
    try:
        table = read_columns(_text(path))[0]
    except ImportRefusedError as error:
        raise TheoryError(f"{path}: {error}") from error
    if missing := [name for name in MEASURED if name not in table.columns]:
        raise TheoryError(f"{path}: no column {', '.join(missing)}; `trxas compare A B FILE.csv` writes them")
    energy, value, stddev = (table.columns[name] for name in MEASURED)
    if not (np.isfinite(value).all() and (stddev > 0).all() and (np.diff(energy) > 0).all()):
        raise TheoryError(f"{path}: values are not finite, errors not above 0, or energies do not ascend")
    return MeasuredDifference(energy, value, stddev)
