"""`python -m sim_ioc.expect`: noise-free expectation of a scenario, as a file.

The request is JSON: ``{"energies_keV": [...], "delay_ps": 10100.0, "fluence_mJ_cm2": 8.8}``. The result is an
npz file with these arrays:

energies_keV : (E,)
    The requested energies.
mu_on, mu_off : (E, P)
    Photons per pulse by phase, laser on and off, at the nominal current and mean jet, with dark counts and
    laser-only background.
i0_rate : (E,)
    Count rate of I0, 1/s, with dark and non-linearity.
i0_dark, bunch_rate_hz, num_bunches, divider, laser_phase : ()
    Dark rate of I0 (1/s), pulses per second, and the pattern.
slot_delays_ps : (slots,)
    Time from the last pump to the probe in each pump slot.
white_line_keV : (E,)
    White line of the edge that each energy belongs to.
jet_thickness_rms, jet_pass_to_pass_rms : ()
    Noise of the jet, which counting errors do not cover.

With ``"temperatures_degC": [25.0, ...]`` and a scenario that has a powder also:

powder : (T, E)
    Its signal in the region of interest, in edge steps.
rings_0, rings_1, ... : (lines, 2)
    Scattering vector (1/A) and intensity of its lines at each temperature.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError

from sim_ioc.physics.powder_rings import line_positions, phase_at
from sim_ioc.physics.powder_spectrum import PowderSpectrum
from sim_ioc.physics.truth import ForwardModel
from sim_ioc.scenario.sample import ScenarioTable
from sim_ioc.scenario.scenario import Scenario, ScenarioError, load_scenario


class ExpectationRequest(ScenarioTable):
    """Request to the forward model."""

    energies_keV: tuple[float, ...] = Field(min_length=1, max_length=100_000)
    delay_ps: float = Field(ge=-1e9, le=1e9)
    fluence_mJ_cm2: float = Field(ge=0, le=1e4)
    temperatures_degC: tuple[float, ...] = Field(default=(), max_length=1000)


def read_request(path: Path) -> ExpectationRequest:
    """Read a request.

    Raises
    ------
    ValueError
        The file is missing, is not JSON, or has an invalid value; the message is one sentence.
    """
    try:
        return TypeAdapter(ExpectationRequest).validate_json(path.read_bytes())
    except OSError as error:
        raise ValueError(f"request {path} cannot be read: {error.strerror}") from None
    except (ValidationError, json.JSONDecodeError) as error:
        details = error.errors() if isinstance(error, ValidationError) else []
        problem = "; ".join(f"{'.'.join(map(str, d['loc']))}: {d['msg']}" for d in details) or str(error)
        raise ValueError(f"request {path.name}: {problem}") from None


def expectation(model: ForwardModel, request: ExpectationRequest) -> dict[str, Any]:
    """The arrays of the result, by name."""
    energies = np.array(request.energies_keV)
    delay, fluence = request.delay_ps, request.fluence_mJ_cm2
    return {
        "energies_keV": energies,
        "mu_on": model.mu(energies, delay, fluence, laser_on=True),
        "mu_off": model.mu(energies, delay, fluence, laser_on=False),
        "i0_rate": np.full(energies.shape, model.i0_rate()),
        "i0_dark": model.scenario.i0.dark_per_s,
        "num_bunches": model.num_bunches,
        "divider": model.divider,
        "laser_phase": model.laser_phase,
        "bunch_rate_hz": model.bunch_rate_hz,
        "slot_delays_ps": model.slot_delays_ps(delay),
        "jet_thickness_rms": model.scenario.jet.thickness_rms,
        "jet_pass_to_pass_rms": model.scenario.jet.pass_to_pass_rms,
        "white_line_keV": np.array([model.white_line_keV(energy) for energy in energies]),
    }


def of_powder(scenario: Scenario, request: ExpectationRequest) -> dict[str, Any]:
    """The arrays of a powder; none if there is no temperature.

    Raises
    ------
    ValueError
        If the scenario has no powder.
    """
    if not request.temperatures_degC:
        return {}
    if scenario.powder is None:
        raise ValueError("temperatures_degC need a scenario with a powder")
    spectrum, phases = PowderSpectrum(scenario.powder, scenario.sample), scenario.powder.camera.phases
    rings = {}
    for number, temperature in enumerate(request.temperatures_degC):
        phase = phase_at(phases, temperature)
        rings[f"rings_{number}"] = np.stack([line_positions(phase, temperature), [line[3] for line in phase.lines]], 1)
    return {"powder": np.stack([spectrum(request.energies_keV, each) for each in request.temperatures_degC]), **rings}


def write_atomically(path: Path, arrays: dict[str, Any]) -> None:
    """Write an npz file atomically."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **arrays)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def main(arguments: list[str] | None = None) -> int:
    """Process one request; exit status 0, or 2 with one line on standard error."""
    parser = argparse.ArgumentParser(prog="python -m sim_ioc.expect", description="Noise-free expectation.")
    parser.add_argument("--scenario", metavar="FILE", help="scenario TOML, or the name of one that comes with it")
    parser.add_argument("--request", metavar="REQ.json", type=Path, required=True)
    parser.add_argument("--out", metavar="OUT.npz", type=Path, required=True)
    options = parser.parse_args(arguments)
    try:
        request = read_request(options.request)
        model = ForwardModel(load_scenario(options.scenario))
        write_atomically(options.out, {**expectation(model, request), **of_powder(model.scenario, request)})
    except (ScenarioError, ValueError, OSError) as error:
        print(f"sim_ioc.expect: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
