"""Gate of the photon counter: where the pulse is, which bunch it belongs to, and the delay and width that hold it.

Against the delay of the gate the counts are the overlap of the gate with a pulse of some length, averaged over the
jitter of the gate, which opens anywhere within the jitter after its delay; once for each bunch. Length and jitter have
the same effect on the counts, so the jitter has to be known: a tick of the gate's own clock, none where that is locked
to the RF.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, hypot, nan, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import OptimizeResult, least_squares

from reduction.findings.bunch import Bunch, seen_bunch
from reduction.findings.causes import FEW, has_beam, why_no_light
from reduction.findings.counts import photons_per_gate, with_scatter
from reduction.findings.finding import GOOD, Array, FindingCurve, FindingResult, not_found

NAME, UNIT = "gate", "ns"
OPENINGS = (np.arange(24) + 0.5) / 24
"""Fractions of the jitter at which the overlap is averaged."""
LABELS = ("gate delay / ns", "photons per gate")
ON_PLATEAU = 0.8
"""Fraction of the height from which on a point identifies the bunch."""
LIT = 0.02
"""Fraction of the height from which on a point has light."""
SPARE = 0.25
"""Ticks between pulse and gate on both sides, whenever within its jitter the gate opens."""


@dataclass(frozen=True)
class GateScan:
    """Counts against the delay of the gate.

    Attributes
    ----------
    delay : ndarray, shape (N,), ticks
    hits, gates : ndarray, shape (N, P)
    width : int, ticks
    tick, jitter, spacing : float, ns
        A tick of the gate's clock, the range within which the gate opens, and the time between two bunches.
    currents : ndarray, shape (B,)
        Of the bunches; empty if unknown.
    i0_rate : ndarray, shape (N,), counts/s
    i0_least : float, counts/s
        From which on there is beam.
    """

    delay: Array
    hits: Array
    gates: Array
    width: int
    tick: float
    jitter: float
    spacing: float
    currents: Array
    i0_rate: Array
    i0_least: float


@dataclass(frozen=True)
class Pulse:
    """Fitted pulse: begin (ns after the marker, modulo the spacing), length (ns), height, background."""

    begin: float
    length: float
    height: float
    background: float

    def seen(self, delay: ArrayLike, scan: GateScan) -> Array:
        """Photons per gate at delays of the gate (ns)."""
        width, spacing = scan.width * scan.tick, scan.spacing
        opens = np.asarray(delay, dtype=np.float64)[..., None, None] + (scan.jitter * OPENINGS)[:, None]
        bunches = np.arange(-1 - ceil(width / spacing), 2 + ceil(np.max(delay, initial=0.0) / spacing))
        begins = self.begin + spacing * bunches
        overlap = np.minimum(opens + width, begins + self.length) - np.maximum(opens, begins)
        seen = self.height * np.clip(overlap, 0.0, None).sum(axis=-1) / self.length
        return np.asarray(self.background - np.log(np.exp(-seen).mean(axis=-1)))  # hits are averaged, not photons


def find_gate(scan: GateScan) -> FindingResult:
    """Find delay and width of the gate.

    Returns
    -------
    FindingResult
        Its value is the middle of the pulse after the marker of its own bunch. `settings` has ``gate_delay`` and
        ``gate_width`` in ticks, only if it is certain which bunch is seen. Numbers: length of the pulse, jitter,
        bunches that the first plateau is off, where the gate opens, time to the pulses of the neighbours.
    """
    total = scan.hits.sum(axis=1), scan.gates.sum(axis=1)
    value, variance = photons_per_gate(*total)
    delay = scan.delay * scan.tick
    curve = FindingCurve(delay, value, np.sqrt(variance), np.empty(0), np.empty(0), *LABELS)
    if why := _why_not(scan, float(total[0].sum()), value, variance):
        return not_found(NAME, UNIT, why, curve, {})
    fitted = _fit(scan, delay, value, variance)
    pulse = Pulse(*(float(each) for each in fitted.x))
    fine = np.linspace(delay.min(), delay.max(), 600)
    curve = replace(curve, fit_x=fine, fit=pulse.seen(fine, scan))
    covariance = np.linalg.pinv(fitted.jac.T @ fitted.jac)
    return _judged(scan, pulse, covariance, curve)


def _why_not(scan: GateScan, hits: float, value: Array, variance: Array) -> str:
    """Why there is nothing to fit; empty if there is."""
    if has_beam(scan.i0_rate, scan.i0_least) and hits > 0 and not np.isfinite(variance).all():
        return "Hits in every gate: find the threshold first."
    if not has_beam(scan.i0_rate, scan.i0_least) or hits == 0 or not value.max() > FEW:
        return why_no_light(hits, scan.i0_rate, scan.i0_least)
    return ""


def _fit(scan: GateScan, delay: Array, value: Array, variance: Array) -> OptimizeResult:
    """Begin, length, height and background of the pulse."""
    width, spacing = scan.width * scan.tick, scan.spacing
    turn = np.exp(2j * np.pi * (delay + 0.5 * width) / spacing)
    centre = float(np.angle((value * turn).sum())) / (2 * np.pi) * spacing
    low, high = np.array([-2 * spacing, 0.2, 0.0, 0.0]), np.array([2 * spacing, spacing, 50.0, 50.0])

    def search(start: Array, known: Array) -> OptimizeResult:
        def residual(x: Array) -> Array:
            return np.asarray((value - Pulse(*x).seen(delay, scan)) / np.sqrt(known))

        inside = np.clip(start, low + 1e-9, high - 1e-9)
        return least_squares(residual, inside, bounds=(low, high), x_scale=[1.0, 1.0, 0.01, 0.01], max_nfev=200)

    top, bottom = float(value.max()), float(value.min())
    starts = [
        np.array([(centre + 0.5 * scan.jitter) % spacing - 0.5 * length + move, length, top - bottom, bottom])
        for length in (5.0, 8.0, 12.0) if length < spacing
        for move in (-4.0, -2.0, 0.0, 2.0, 4.0)
    ]  # fmt: skip
    rough = variance + (0.01 * value) ** 2
    found = min((search(start, rough) for start in starts), key=lambda each: each.cost)
    for _ in range(3):
        fitted = Pulse(*found.x).seen(delay, scan)
        lit = fitted > LIT * fitted.max()  # points without light are no evidence of scatter
        known = variance.copy()
        known[lit] = with_scatter((value - fitted)[lit], fitted[lit], variance[lit], int(lit.sum()) - found.x.size)
        found = search(found.x, known)
    return found


def _judged(scan: GateScan, pulse: Pulse, covariance: Array, curve: FindingCurve) -> FindingResult:
    plateau, plateau_ns = _plateau(scan, pulse)
    bunch = _bunch(scan, plateau)
    middle = np.array([1.0, 0.5, 0.0, 0.0])
    step = scan.tick / sqrt(12) if scan.jitter < scan.tick else 0.0  # without jitter a pulse hides between two ticks
    stddev = hypot(sqrt(float(middle @ covariance @ middle)), step)
    fitted = pulse.begin + 0.5 * pulse.length  # modulo the spacing: the plateau shows by how many
    centre = fitted - bunch.offset * scan.spacing - round((fitted - plateau_ns) / scan.spacing) * scan.spacing
    delay, width = _settings(scan, pulse, centre)
    to_neighbour = scan.spacing - 0.5 * (width * scan.tick + scan.jitter + pulse.length)
    numbers = {
        "gate_delay_ticks": (float(delay), nan),
        "gate_width_ticks": (float(width), nan),
        "opens_ns": (delay * scan.tick, nan),
        "pulse_length_ns": (pulse.length, float(np.sqrt(covariance[1, 1]))),
        "jitter_ns": (scan.jitter, nan),
        "bunch_offset": (float(bunch.offset), nan),
        "to_neighbour_ns": (to_neighbour, nan),
        "photons_per_gate": (pulse.height, float(np.sqrt(covariance[2, 2]))),
    }
    where = f"The pulse is {centre:.2f} ns after the marker of its bunch, {pulse.length:.1f} ns long"
    if not bunch.certain:
        why = f"A pulse is found, but not of which bunch it is: {bunch.reason}. The gate is left as it is."
        return FindingResult(NAME, centre, stddev, UNIT, GOOD, "", curve, {}, numbers).with_doubt(why)
    settings = {"gate_delay": float(delay), "gate_width": float(width)}
    opens = f"{where}; the gate opens at {delay} ticks for {width}."
    found = FindingResult(NAME, centre, stddev, UNIT, GOOD, opens, curve, settings, numbers)
    if not pulse.height > 10 * float(np.sqrt(covariance[2, 2])):
        return not_found(NAME, UNIT, "No plateau: the counts hardly depend on the delay of the gate.", curve, numbers)
    if delay < 0:
        return not_found(NAME, UNIT, f"{where}: the gate would have to open before its marker.", curve, numbers)
    if to_neighbour < 0:
        return found.with_doubt(f"{where}; the gate sees the neighbour too: lock its clock to the RF.")
    return found


def _plateau(scan: GateScan, pulse: Pulse) -> tuple[NDArray[np.bool_], float]:
    """Points of the first plateau of the scan, and the middle of the gates there, ns."""
    width = scan.width * scan.tick
    delay = scan.delay * scan.tick
    seen = pulse.seen(delay, scan) - pulse.background
    high = seen > ON_PLATEAU * float(seen.max())
    first = float(delay[high].min()) if high.any() else float(delay[0])
    there = high & (delay < first + 0.5 * scan.spacing)
    middle = float(np.mean(delay[there])) if there.any() else first
    return there, middle + 0.5 * (width + scan.jitter)


def _bunch(scan: GateScan, there: NDArray[np.bool_]) -> Bunch:
    """The bunch that the gate sees on the first plateau of the scan, whose points these are."""
    bunches = scan.currents.size
    if not bunches or scan.hits.shape[1] % bunches or not there.any():
        return Bunch(0, False, "there is no fill pattern with a current of each bunch", 0.0)
    hits, gates = (each[there].sum(axis=0).reshape(-1, bunches).sum(axis=0) for each in (scan.hits, scan.gates))
    return seen_bunch(*photons_per_gate(hits, gates), scan.currents)


def _settings(scan: GateScan, pulse: Pulse, centre: float) -> tuple[int, int]:
    """Delay and width in ticks, with some to spare on both sides, or as wide as the neighbours allow."""
    unknown = scan.tick - min(scan.jitter, scan.tick)
    needed = pulse.length + scan.jitter + unknown + 2 * SPARE * scan.tick
    widest = max(1, int((2 * scan.spacing - scan.jitter - pulse.length) / scan.tick))
    width = min(ceil(needed / scan.tick), widest)
    delay = _delay(scan, centre, width)
    if _spare(scan, pulse, centre, delay, width) < SPARE * scan.tick and width < widest:
        width += 1
        delay = _delay(scan, centre, width)
    return delay, width


def _delay(scan: GateScan, centre: float, width: int) -> int:
    return round((centre - 0.5 * (width * scan.tick + scan.jitter)) / scan.tick)


def _spare(scan: GateScan, pulse: Pulse, centre: float, delay: int, width: int) -> float:
    """Time between pulse and edge of the gate, on the side where it is less, ns."""
    before = centre - 0.5 * pulse.length - delay * scan.tick - scan.jitter
    return min(before, (delay + width) * scan.tick - centre - 0.5 * pulse.length)
