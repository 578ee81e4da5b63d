"""`python -m sim_ioc.sample`: seeded energy scans of a scenario as a file, without Channel Access, for studies.

Included: photon statistics, 1/f noise of the jet between and within dwells, its changes from pass to pass, noise of I0,
unequal bunches and slot efficiencies. Not included: after-effects of a hit, decay of the ring current, motion.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim_ioc.physics.photons import hit_probability
from sim_ioc.physics.truth import ForwardModel
from sim_ioc.scenario.scenario import JetTruth, ScenarioError, parse_scenario

FloatArray = NDArray[np.float64]

WINDOW_S = 60.0
"""Length of the window that the rms of the jet noise refers to."""
TONES_PER_DECADE = 256
"""Dense enough that neighbours differ by about one oscillation in a whole measurement, as in a continuous spectrum: a
few strong tones would beat with the step from point to point and leave waves on the spectrum."""
KEYS = frozenset({
    "scenario", "energies_keV", "delay_ps", "fluence_mJ_cm2", "pattern", "dwell_s", "passes", "measurements",
    "slot_efficiency_rms", "seed",
})  # fmt: skip


def sample(request: dict[str, Any]) -> dict[str, Any]:
    """Measurements as the counters would record them.

    Parameters
    ----------
    request
        ``scenario``: tables that differ from the default scenario. ``energies_keV``, ``delay_ps``,
        ``fluence_mJ_cm2``, each a number or one for each energy (a delay or fluence scan). ``pattern``: laser on (1)
        and off (0) dwells of a point, ``dwell_s`` each. ``passes`` over
        the energies, ``measurements`` to draw. ``slot_efficiency_rms``: standard deviation of the slot efficiencies
        about 1. ``seed``.

    Returns
    -------
    dict
        hits int32[measurements, E, R, P] with R = passes x dwells of a point; gates, opened of each phase;
        flux [measurements, E, R], I0 counts per pulse without dark; pass_of_row, laser_on [R]; slot_of_phase [P];
        slot_efficiency [S]; without noise mu_off, mu_on [E, P] and expected_flux; seconds_per_point.

    Raises
    ------
    ValueError
        A key is missing or unknown, or its value is invalid.
    """
    _check(request)
    model = ForwardModel(parse_scenario(request["scenario"]))
    rng = np.random.default_rng(request["seed"])
    energies, pattern = np.asarray(request["energies_keV"], dtype=float), np.asarray(request["pattern"])
    dwell_s, passes, number = float(request["dwell_s"]), int(request["passes"]), int(request["measurements"])
    efficiency = _efficiencies(model.divider, float(request["slot_efficiency_rms"]))
    delays, fluences = (np.broadcast_to(request[key], energies.shape) for key in ("delay_ps", "fluence_mJ_cm2"))
    mu = np.array([
        [model.mu(*axes, bool(laser)) for axes in zip(energies, delays, fluences, strict=True)] for laser in (0, 1)
    ]) * efficiency[model.slot_of_phase]  # fmt: skip
    laser_on = np.tile(pattern, passes)
    gates = round(dwell_s * model.bunch_rate_hz / model.num_phases)
    flux = (model.i0_rate() - model.scenario.i0.dark_per_s) / model.bunch_rate_hz
    truth = np.moveaxis(mu[laser_on], 0, 1)  # E, R, P
    shape = (number, energies.size, laser_on.size)
    hits = np.empty((*shape, model.num_phases), np.int32)
    for one in hits:
        jet = _thickness(rng, model.scenario.jet, shape[1:], pattern.size, dwell_s)
        one[...] = rng.binomial(gates, hit_probability(truth * jet[:, :, np.newaxis]))
    return {
        "hits": hits,
        "gates": gates,
        "flux": flux * (1 + model.scenario.i0.noise * rng.standard_normal(shape)),
        "pass_of_row": np.repeat(np.arange(passes), pattern.size),
        "laser_on": laser_on.astype(bool),
        "slot_of_phase": model.slot_of_phase,
        "slot_delays_ps": model.slot_delays_ps(float(delays[0])),
        "slot_efficiency": efficiency,
        "mu_off": mu[0],
        "mu_on": mu[1],
        "expected_flux": flux,
        "seconds_per_point": dwell_s * laser_on.size,
    }


def _check(request: dict[str, Any]) -> None:
    if unknown := sorted(set(request) ^ KEYS):
        raise ValueError(f"request has unknown or lacks keys: {', '.join(unknown)}")
    for key in ("dwell_s", "passes", "measurements"):
        if not request[key] > 0:
            raise ValueError(f"request: {key} must be above 0, not {request[key]}")
    if set(request["pattern"]) != {0, 1}:
        raise ValueError(f"request: pattern needs dwells with the laser on (1) and off (0), not {request['pattern']}")
    if len(request["energies_keV"]) < 1:
        raise ValueError("request: energies_keV is empty")
    for key in ("delay_ps", "fluence_mJ_cm2"):
        if np.ndim(request[key]) and len(request[key]) != len(request["energies_keV"]):
            raise ValueError(f"request: {key} must be a number or have one entry for each of energies_keV")


def _efficiencies(slots: int, rms: float) -> FloatArray:
    """Efficiencies of the slots about 1: a fixed pattern without symmetry, of the given rms."""
    if slots == 1:
        return np.ones(1)
    pattern = np.sin(1.0 + 2.4 * np.arange(slots))
    pattern = pattern - pattern.mean()
    return np.asarray(1 + rms * pattern / pattern.std())


def _thickness(
    rng: np.random.Generator, jet: JetTruth, shape: tuple[int, int], segments: int, dwell_s: float
) -> FloatArray:
    """Mean thickness of the jet during each dwell, relative to its mean: float64[E, R].

    Dwells follow each other without gaps: all of a point, point after point, pass after pass.
    """
    energies, rows = shape
    passes = rows // segments
    number = (np.arange(passes)[:, np.newaxis, np.newaxis] * energies + np.arange(energies)[:, np.newaxis]) * segments
    start_s = (number + np.arange(segments)) * dwell_s  # passes, E, segments
    pass_to_pass: FloatArray = 1 + jet.pass_to_pass_rms * rng.standard_normal((passes, 1, 1))
    thickness = pass_to_pass * (1 + pink_dwell_means(rng, jet, np.asarray(start_s), dwell_s))
    return np.asarray(np.moveaxis(thickness, 0, 1).reshape(energies, rows))


def pink_dwell_means(rng: np.random.Generator, jet: JetTruth, start_s: FloatArray, dwell_s: float) -> FloatArray:
    """1/f noise averaged over dwells: cosines of equal amplitude, one in each of many equal parts of a decade.

    The frequency within each part is drawn anew each time: a fixed comb would repeat from pass to pass.
    The mean of a cosine of frequency f over a time T is that of its middle times sinc(f T).
    """
    tones = max(8, round(TONES_PER_DECADE * np.log10(jet.high_Hz / jet.low_Hz)))
    edges = np.geomspace(jet.low_Hz, jet.high_Hz, tones + 1)
    frequency = edges[:-1] * (edges[1:] / edges[:-1]) ** rng.random(tones)
    phase = rng.uniform(0, 2 * np.pi, tones)
    if jet.thickness_rms == 0:
        return np.zeros(start_s.shape)
    # A tone of amplitude 1 has variance (1 - sinc^2(f T)) / 2 about its mean over T.
    amplitude = jet.thickness_rms / np.sqrt(0.5 * (1 - np.sinc(frequency * WINDOW_S) ** 2).sum())
    angle = 2 * np.pi * (start_s + dwell_s / 2)[..., np.newaxis] * frequency + phase
    return np.asarray(amplitude * (np.cos(angle) * np.sinc(frequency * dwell_s)).sum(axis=-1))


def main(arguments: list[str] | None = None) -> int:
    """Write the measurements of a request file.

    Returns
    -------
    int
        Exit status: 0, or 2 with one line on standard error.
    """
    parser = argparse.ArgumentParser(
        prog="python -m sim_ioc.sample", description="Seeded measurements of a scenario as npz, for studies."
    )
    parser.add_argument("--request", metavar="FILE", required=True, help="JSON file, see sim_ioc.sample.sample")
    parser.add_argument("--out", metavar="FILE", required=True, help="npz file to write")
    options = parser.parse_args(arguments)
    try:
        result = sample(json.loads(Path(options.request).read_text(encoding="utf-8")))
        unfinished = Path(f"{options.out}.part")
        with unfinished.open("wb") as file:
            np.savez(file, **result)
        unfinished.replace(options.out)
    except (ScenarioError, ValueError, TypeError, OSError) as error:
        print(f"sim_ioc.sample: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
