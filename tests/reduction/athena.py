"""Reads raw scans of an Athena project: gzipped text with one Perl assignment a line."""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PROJECT = Path(__file__).parents[1] / "data" / "bromoadamantane.prj"


@dataclass(frozen=True)
class AthenaScan:
    """One group: energies in eV, absorption, I0 and transmitted signal; the shift (eV) that Athena's user found."""

    label: str
    energy: NDArray[np.float64]
    absorption: NDArray[np.float64]
    i0: NDArray[np.float64]
    signal: NDArray[np.float64]
    shift: float


def read_project(path: Path = PROJECT) -> list[AthenaScan]:
    """All groups that have I0 and signal."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        lines = file.readlines()
    scans, label, shift, arrays = [], "", 0.0, {}
    for line in lines:
        if line.startswith("@args"):
            phrase = dict(re.findall(r"'(label|bkg_eshift)',\s*'?([^',)]*)'?", line))
            label, shift, arrays = phrase["label"].strip(), float(phrase["bkg_eshift"]), {}
        elif match := re.match(r"@(x|y|i0|signal) = \((.*)\);", line):
            arrays[match[1]] = np.array([float(value.strip("' ")) for value in match[2].split(",")])
            if len(arrays) == 4:
                scans.append(AthenaScan(label, arrays["x"], arrays["y"], arrays["i0"], arrays["signal"], shift))
    return scans


def repeats() -> list[AthenaScan]:
    """The six scans of 1-bromoadamantane, two groups of three."""
    return [scan for scan in read_project() if scan.label.startswith("1bromoadamantane")]
