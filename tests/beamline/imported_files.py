"""Files of other programs that tests import: where they are, and small ones that tests make themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from beamline.records.importing.choices import Choices
from beamline.records.importing.content import Content, read_content
from beamline.records.importing.files import Scan, read_file
from beamline.records.importing.readers.any_file import read_tables
from beamline.records.importing.table import Table
from tests.helpers.ioc_process import ROOT

FILES = ROOT / "tests" / "data" / "files"
COUNTS = FILES / "counts_by_channel_orbit_bunch.spec"


def truth() -> dict[str, np.ndarray]:
    """Truth of the synthetic file: energies (keV), static spectrum, shape, amplitude of each phase (edge steps)."""
    content = json.loads((FILES / "counts_by_channel_orbit_bunch_truth.json").read_text())
    return {key: np.array(content[key]) for key in ("energy_keV", "static", "shape", "amplitude")}


def tables_of(data: bytes, name: str = "file", **more: Any) -> list[Table]:
    return read_tables(Content(name, data, "0" * 64), **more)[1]


def tables_of_file(path: Path) -> list[Table]:
    return read_tables(read_content(path))[1]


def written(folder: Path, data: bytes | str, name: str = "scan.dat") -> Path:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def scan_of(path: Path, **choices: Any) -> Scan:
    """The only scan of a file."""
    (scan,) = read_file(path, Choices(**choices))
    return scan


def edge_spectrum(seed: int = 0, points: int = 120, noise: float = 1e-3, e0: float = 7.112) -> tuple[Any, Any]:
    """Energies (keV) of a smooth Fe K edge, and its absorption with independent noise."""
    energy = np.linspace(e0 - 0.06, e0 + 0.12, points)
    rng = np.random.default_rng(seed)
    step = 0.5 + np.arctan((energy - e0 - 0.004) / 0.0015) / np.pi
    peak = 0.4 * np.exp(-0.5 * ((energy - e0 - 0.012) / 0.004) ** 2)
    return energy, 0.4 + step + peak + rng.normal(0, noise, points)


def text_of(columns: dict[str, Any], head: str = "# {}\n", form: str = "{:.8g}", apart: str = " ") -> str:
    """Columns below a header."""
    rows = zip(*columns.values(), strict=True)
    return head.format(apart.join(columns)) + "".join(apart.join(map(form.format, row)) + "\n" for row in rows)
