"""Time to import a large SPEC file by channel, orbit and bunch, over that of `numpy.loadtxt` reading its numbers."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from beamline.records.importing.choices import Choices
from beamline.records.importing.content import read_content
from beamline.records.importing.files import read_file
from beamline.records.importing.readers.any_file import read_tables

POINTS, CHANNELS, ORBITS, BUNCHES, GATES = 2000, 3, 26, 24, 40_000


def spec_file(folder: Path) -> Path:
    """A file of 2,000 rows and 1,875 columns, hits a gate with six digits."""
    labels = [f"c{c}o{o}b{b}" for c in range(CHANNELS) for o in range(ORBITS) for b in range(BUNCHES)]
    rng = np.random.default_rng(1)
    rate = 0.3 + 0.1 * (np.arange(len(labels)) % (ORBITS * BUNCHES) >= 8 * BUNCHES)
    path = folder / "large.spec"
    with path.open("w") as file:
        file.write(f"#S 1 energy scan\n#N {len(labels) + 3}\n#L Energy  Seconds  Gates  {'  '.join(labels)}\n")
        for energy in np.linspace(7.06, 7.2, POINTS):
            values = rng.binomial(GATES, rate) / GATES
            file.write(f"{energy:.5f} 1 {GATES} " + " ".join(f"{value:.6g}" for value in values) + "\n")
    return path


def seconds(function: Callable[[], object]) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = spec_file(Path(folder))
        plain = seconds(lambda: np.loadtxt(path))
        rows = seconds(lambda: read_tables(read_content(path)))
        whole = seconds(lambda: read_file(path, Choices(pump="o8b0")))
        size = path.stat().st_size / 1e6
    print(f"SPEC file of {size:.0f} MB, {POINTS} rows: numpy.loadtxt {plain:.2f} s")
    print(f"rows with their lines / that: {rows / plain:.2f}; with hits, gates and pattern / that: {whole / plain:.2f}")


if __name__ == "__main__":
    main()
