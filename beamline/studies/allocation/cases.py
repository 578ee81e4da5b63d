"""Quantities of the study, each with a sample, the model that was assumed of it, and other models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from beamline.studies.numbers.forward import WHITE_LINE, difference, static
from plans.compilation.edges import find_edge
from reduction.allocation.expected import ExpectedGrid
from reduction.allocation.problem import TimeCosts
from reduction.allocation.wanted import Target
from reduction.settings import Settings

Array = NDArray[np.float64]

COSTS = TimeCosts(move=1.0, shutter=0.05, message=0.02, passes=5)
EDGE = find_edge("Br_K")
ENERGY = np.array(EDGE.energies)
DELAY = np.concatenate([[-900.0, -800, -700, -600], np.arange(-240.0, 361.0, 40.0), np.geomspace(500, 130e3, 10)])
FLUENCE = np.array([0.5, 1.0, 2.0, 3.0, 4.0, 5.5, 7.0, 8.8, 10.5, 12.4])
APART = 153_438.0
"""ps between two slots."""
GATES = 6.5173e6 / 120
"""Gates of a phase in a second."""
PHASES, SLOTS = 24, 5
MU, BACKGROUND, SIZE, NOISE, DWELL = 0.15, 0.5, 0.03, 0.01, 1.5
"""Photons a pulse at the white line; light without the edge and transient at 100 ps over the edge step; jet noise of a
dwell; s."""
FRACTIONS, LIFETIMES, TAIL = (0.60, 0.21, 0.19), (120.0, 900.0), 155e3
RESPONSE = 45.0
ABSOLUTE = "shutter"
"""Reference of absolute sizes with nothing assumed about late slots."""
LATE = "measured"
"""What the area takes for what late slots hold: the average over a family of decays has the right errors over all
samples, not for each one."""
HINT = 1e-3
"""keV by which other models of a spectrum are shifted."""


@dataclass(frozen=True)
class AllocationCase:
    """One quantity.

    Attributes
    ----------
    title : str
    target : Target
    grid : ExpectedGrid
        True, and assumed.
    others : sequence of ExpectedGrid
        Other models that were held possible.
    wrong : sequence of ExpectedGrid
        Models that nobody thought of.
    """

    title: str
    target: Target
    grid: ExpectedGrid
    others: Sequence[ExpectedGrid]
    wrong: Sequence[ExpectedGrid]


def held(time: Array, lifetimes: Sequence[float] = LIFETIMES) -> Array:
    """Excitation at times after the pump (ps), 1 at first."""
    parts = [share * np.exp(-time / one) for share, one in zip(FRACTIONS, (*lifetimes, TAIL), strict=True)]
    return np.asarray(sum(parts))


def spectrum(delay: float, shift: float = 0.0, width: float = 1.0, sign: float = 1.0, **chosen: Any) -> ExpectedGrid:
    """The bromine edge at a delay (ps), with settings; the transient is moved by `shift` (keV) and stretched."""
    slots: Array = delay + APART * np.arange(SLOTS, dtype=np.float64)
    off, scale = BACKGROUND + static(ENERGY), MU / (BACKGROUND + static(np.array([WHITE_LINE])))
    moved = WHITE_LINE + (ENERGY - WHITE_LINE - shift) / width
    on = off + sign * SIZE * np.outer(held(slots) / held(np.array(100.0)), difference(moved))
    model = {"comparison": EDGE.comparison, "theory": difference(ENERGY)}
    found = _grid("mono_energy", ENERGY, scale * off, scale * on, slots, model)
    return replace(found, settings=replace(found.settings, **chosen))


def trace(lifetimes: Sequence[float] = LIFETIMES) -> ExpectedGrid:
    """A delay scan at the white line."""
    slots: Array = APART * np.arange(SLOTS, dtype=np.float64)
    level = _through_response(np.add.outer(slots, DELAY), (*lifetimes, TAIL))
    on = MU * (1 - SIZE * level / held(np.array(100.0)))
    return _grid("laser_delay", DELAY, np.full(DELAY.size, MU), on, slots, {"lifetimes": (*lifetimes, TAIL)})


def _through_response(late: Array, lifetimes: Sequence[float]) -> Array:
    """Exponentials through a Gaussian: ``exp(s^2/2 - x s) Phi(x - s)``, x the delay and s the response in lifetimes."""
    x = late / RESPONSE
    widths = [RESPONSE / one for one in lifetimes]
    parts = [share * np.exp(s * s / 2 - x * s + log_ndtr(x - s)) for share, s in zip(FRACTIONS, widths, strict=True)]
    return np.asarray(sum(parts))


def fluences(knee: float = 10.0, sharpness: float = 4.0) -> ExpectedGrid:
    """A fluence scan at the white line that bends at a knee (mJ/cm2)."""
    rise = FLUENCE / (1 + (FLUENCE / knee) ** sharpness) ** (1 / sharpness) / 8.8
    share = held(100 + APART * np.arange(SLOTS, dtype=np.float64)) / held(np.array(100.0))
    on = MU * (1 - SIZE * np.outer(share, rise))
    return _grid("laser_fluence", FLUENCE, np.full(FLUENCE.size, MU), on, None, {"saturation": knee})


def _grid(
    axis: str, position: Array, off: Array, on: Array, slot_delays: Array | None, model: dict[str, Any]
) -> ExpectedGrid:
    settings = Settings(pre_edge=EDGE.pre_edge, integral=EDGE.integral, before_zero=-500.0)
    none = np.zeros((2, SLOTS))
    photons, phases = np.stack([np.broadcast_to(off, on.shape), on]), np.full(SLOTS, float(PHASES))
    labels = {"edge": EDGE.name}
    return ExpectedGrid(
        axis, position, photons, none, none, GATES, phases, DWELL, NOISE, settings, slot_delays, labels, model
    )


def brighter(grid: ExpectedGrid, factor: float, noise: float) -> ExpectedGrid:
    """The same sample with other rates and another noise of dwells."""
    return replace(grid, photons=grid.photons * factor, noise=noise)


def cases() -> list[AllocationCase]:
    """All quantities of the study."""
    early, alone = _spectra(100.0), _spectra(100.0, reference=ABSOLUTE)
    late = _spectra(10_100.0, late_slots=LATE)
    near = [(60.0, 900.0), (240.0, 900.0), (120.0, 450.0), (120.0, 1800.0), (80.0, 500.0), (200.0, 2500.0)]
    kinetic = [trace(), list(map(trace, near)), [trace((100.0, 600.0)), trace((160.0, 1500.0))]]
    bent = [fluences(), [fluences(6.0), fluences(8.0), fluences(12.0)], [fluences(7.0), fluences(10.0, 2.5)]]
    return [
        _case("C(Br, 100 ps)", "C(slot=0)", "2.5 %", early),
        _case("tau1", "lifetime(1)", "10 %", kinetic),
        _case("tau2", "lifetime(2)", "10 %", kinetic),
        _case("area at 163.5 ns", "area(slot=1)", "30 %", late),
        _case("transient at 13.472 keV", "transient(slot=0, energy=13.472)", "6 %", alone),
        _case("theory amplitude", "theory_amplitude(slot=0)", "2 %", alone),
        _case("linear range", "saturation", "5 %", bent),
    ]


def _spectra(delay: float, **chosen: Any) -> list[Any]:
    """The sample, other models that are held possible, and models that nobody thought of, with settings."""
    others = [spectrum(delay, shift * HINT, **chosen) for shift in (-2, -1, 1, 2)]
    wrong = [spectrum(delay, 1.5 * HINT, **chosen), spectrum(delay, HINT / 2, 1.25, **chosen)]
    return [
        spectrum(delay, **chosen),
        [*others, spectrum(delay, width=1.5, **chosen)],
        [*wrong, spectrum(delay, sign=-1.0, **chosen)],
    ]


def _case(title: str, quantity: str, wanted: str, models: Sequence[Any]) -> AllocationCase:
    return AllocationCase(title, Target(quantity, wanted), *models)
