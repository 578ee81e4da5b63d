"""Which phase of a perovskite a pattern shows: what the line (200) of the cubic cell splits into, and what can be seen.

The cubic (200) stays one line; a tetragonal cell has (002) and (220) with one to two of the intensity, an orthorhombic
one (004) and (220) with equal shares. Where lines are broad, as of nanocrystals, two lines look like one: then the
smallest splitting that would have been seen decides whether one line says anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.diffraction.pattern import PowderPattern
from reduction.diffraction.peaks import FOUR_LN2, Peak, Splitting

Array = NDArray[np.float64]

SEEN = 13.8
"""Gain in chi-square of two lines over one that has a p-value of 0.001 with two further parameters."""
SPLIT = 1e-3
"""p-value of a single line below which a peak is called split."""
FAR = 3.0
"""Standard deviations between a splitting, or a share, and the one expected of a phase that is ruled out."""
CELLS = 0.15
"""Relative; how much the splitting of a phase changes with its temperature and from sample to sample."""
SHARES = 0.06
"""How far texture may move the share of a line."""


@dataclass(frozen=True)
class Phase:
    """What the cubic (200) becomes: splitting relative to its scattering vector, and share of the first line."""

    splitting: float
    share: float


CSPBBR3: Mapping[str, Phase] = {
    "orthorhombic": Phase(0.0102, 0.5),
    "tetragonal": Phase(0.0097, 1 / 3),
    "cubic": Phase(0.0, 0.5),
}
"""From cells 8.207, 8.255, 11.759 A (Stoumpos et al., Cryst. Growth Des. 13, 2722 (2013)) and 8.259, 5.897 A (Hirotsu
et al., J. Phys. Soc. Jpn. 37, 1393 (1974)); the first line is that of the long axis."""


def least_splitting(pattern: PowderPattern, found: Splitting, share: float = 0.5) -> float:
    """Smallest distance of two lines (1/angstrom) that would have been seen in place of the single one.

    Two lines of one width at a small distance d are a single line, wider by d^2 share (1 - share), plus a rest of the
    fourth order in d; for equal shares its gain in chi-square goes as d^4 through the second derivative that no single
    line has. The gain is computed for one distance, with position, width, height and background free, and scaled.

    Parameters
    ----------
    pattern : PowderPattern
        The range that was fitted.
    found : Splitting
    share : float
        Of the intensity in the first line.
    """
    peak = found.one.peaks[0]
    apart = 0.8 * peak.width
    gains = [_gain(pattern, peak, factor * apart, share) for factor in (0.5, 1.0)]
    if not (gains[1] > gains[0] > 0):
        return float("inf")
    order = np.log2(gains[1] / gains[0])
    return float(apart * (SEEN / gains[1]) ** (1 / order))


def _gain(pattern: PowderPattern, peak: Peak, apart: float, share: float) -> float:
    """Chi-square by which two lines without noise miss every single line on a straight background."""
    from scipy.optimize import least_squares

    places = peak.position + apart * np.array([-(1 - share), share])
    two = sum(
        peak.height * part * _line(pattern.q, place, peak.width)
        for place, part in zip(places, (share, 1 - share), strict=True)
    )
    middle = float(pattern.q.mean())

    def residual(values: Array) -> Array:
        position, width, height, level, slope = values
        one = height * peak.height * _line(pattern.q, peak.position + position * peak.width, width * peak.width)
        return np.asarray((two - one - peak.height * (level + slope * (pattern.q - middle))) / pattern.stddev)

    start = np.array([0.0, 1.0 + 0.5 * (apart / peak.width) ** 2, 1.0, 0.0, 0.0])
    return float(2 * least_squares(residual, start).cost)


def _line(q: Array, position: float, width: float) -> Array:
    return np.asarray(np.exp(-FOUR_LN2 * ((q - position) / width) ** 2))


@dataclass(frozen=True)
class PhaseFinding:
    """Phases that a peak allows, what was seen, and the smallest splitting (1/angstrom) that would have been."""

    possible: tuple[str, ...]
    splitting: float
    stddev: float
    least: float

    @property
    def sentence(self) -> str:
        """In words."""
        phases = " or ".join(self.possible) or "none of the known phases"
        if self.splitting:
            return f"split by {self.splitting:.4f} +- {self.stddev:.4f} 1/A: {phases}"
        return f"one line; two would be seen from {self.least:.4f} 1/A on: {phases}"


def phase_of(pattern: PowderPattern, found: Splitting, known: Mapping[str, Phase] = CSPBBR3) -> PhaseFinding:
    """Phases that a peak at the cubic (200) allows.

    Parameters
    ----------
    pattern : PowderPattern
        Single pixels, or bins.
    found : Splitting
        Of this peak.
    known : mapping
        Phases by name.
    """
    at = found.one.peaks[0]
    reach = 2 * at.width
    part = pattern.between(at.position - reach, at.position + reach)
    if found.p_value < SPLIT and len(found.two.peaks) == 2:
        return _split(found.two.peaks, at.position, known)
    possible, leasts = [], []
    for name, phase in known.items():
        least = least_splitting(part, found, phase.share) if phase.splitting else 0.0
        leasts.append(least)
        if phase.splitting * at.position <= least:
            possible.append(name)
    return PhaseFinding(tuple(possible), 0.0, 0.0, max(leasts))


def _split(peaks: Sequence[Peak], position: float, known: Mapping[str, Phase]) -> PhaseFinding:
    first, second = peaks
    apart = second.position - first.position
    stddev = float(np.hypot(first.position_stddev, second.position_stddev))
    total = first.height + second.height
    share = first.height / total
    of_share = float(np.hypot(second.height * first.height_stddev, first.height * second.height_stddev)) / total**2
    possible = [
        name
        for name, phase in known.items()
        if phase.splitting
        and abs(apart - phase.splitting * position) < max(FAR * stddev, CELLS * phase.splitting * position)
        and abs(share - phase.share) < max(FAR * of_share, SHARES)
    ]
    return PhaseFinding(tuple(possible), apart, stddev, 0.0)
