"""Computed spectra of a rehearsal, made from what is true in the scenario: what a fit of theory should find is known.

A state is the spectrum that the broadening of the paper turns into the scenario's: a sharper one, as a program computes
it. No program has computed it, so that each name has `SIMULATED` in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from beamline.studies.expectation import ask_expectation
from beamline.studies.rehearsal.programme import HEAT, LIGHT
from plans.compilation.edges import find_edge, main_feature
from reduction.theory.broadening import Width, broadened

Array = NDArray[np.float64]

EDGE = "Br_K"
FULL = 0.05
"""Fraction of the sample that is excited at 100 ps, if the polaron of the rehearsal is a full one."""
DELAY, FLUENCE = 100.0, 8.8
BELOW = 5.0
"""eV; from the white line down to the top of the valence band (SI 7)."""
COLD, HOT = 25.0, 120.0
MOVED = 0.3
"""eV; of the edge of the third model."""
GRID = np.concatenate([np.arange(-20.0, 30.0, 0.5), np.arange(30.0, 112.0, 1.0)])
"""eV above the top of the valence band."""
SMOOTH = 0.02
"""Weight of the bends of a sharp spectrum against what it does not reproduce."""
FILE = "theory.toml"


def write_theory(folder: Path) -> Path:
    """Write the states, and the file that names them; its path."""
    folder.mkdir(parents=True, exist_ok=True)
    matrix = _broadening(Width())
    lines = [f"# SIMULATED: made from the scenario, not computed by a program\nedge = {EDGE!r}"]
    for name, value in states().items():
        file = f"{name}.dat"
        rows = zip(GRID.tolist(), _sharp(matrix, value).tolist(), strict=True)
        text = "".join(f"{energy:10.3f} {each:12.6f}\n" for energy, each in rows)
        (folder / file).write_text(f"# SIMULATED from the scenario\n# energy (eV)  sigma (arbitrary)\n{text}")
        where = "ground" if name == "ground" else f'models."{name} (SIMULATED)"'
        lines.append(f'{where}.files = ["{file}"]')
    path = folder / FILE
    path.write_text("\n".join(lines).replace("'", '"') + "\n")
    return path


def states() -> Mapping[str, Array]:
    """True spectra (edge steps) on `GRID`: the sample in the dark, all of it excited, all of it hot, its edge moved."""
    energy = main_feature(find_edge(EDGE)) + 1e-3 * (GRID - BELOW)
    light = ask_expectation(LIGHT, energy, DELAY, FLUENCE)
    phases = np.arange(light["mu_on"].shape[1]) - light["laser_phase"]
    pumped = phases % light["divider"] == 0
    off, on = (_above(light[key][:, pumped].mean(axis=1)) for key in ("mu_off", "mu_on"))
    cold, hot = ask_expectation(HEAT, energy, DELAY, 0.0, (COLD, HOT))["powder"]
    ground = off / off[-1]
    return {
        "ground": ground,
        "polaron": ground + (on - off) / off[-1] / FULL,
        "heat": ground + _above(hot) - _above(cold),
        "shift": np.interp(GRID - MOVED, GRID, ground),
    }


def _above(value: Array) -> Array:
    """Less what is there below the edge."""
    return value - value[0]


def _broadening(width: Width) -> Array:
    """The matrix that broadens a spectrum on `GRID`."""
    return np.stack([broadened(GRID, unit, width.at(GRID), GRID) for unit in np.eye(GRID.size)], axis=1)


def _sharp(matrix: Array, value: Array) -> Array:
    """The spectrum, nowhere below 0, that broadens to a value: by least squares, and as smooth as that allows."""
    from scipy.optimize import nnls

    bends = SMOOTH * np.diff(np.eye(GRID.size), 2, axis=0)
    found, _ = nnls(np.concatenate([matrix, bends]), np.append(value, np.zeros(len(bends))))
    return np.asarray(found)
