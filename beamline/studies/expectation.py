"""Noise-free expectation of the simulated beamline, through the same reduction.

A simulator process writes its expectation to a file: nothing here depends on the forward model. Used by demonstrations
and studies only, never by a measurement.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reduction.counting.accumulate import CountingAccumulator
from reduction.counting.background import Background
from reduction.counting.dwell import Dwell
from reduction.counting.phases import Pattern
from reduction.counting.slot_bins import with_bins
from reduction.settings import Settings
from reduction.spectra.spectrum import Spectrum, reduce_spectrum

GATES = 10**14
"""Opened gates per phase: so many that rounding the expected hits to integers is negligible."""


def ask_expectation(
    scenario: str | Path,
    energies: NDArray[np.float64],
    delay: float,
    fluence: float,
    temperatures: Sequence[float] = (),
) -> dict[str, NDArray[np.float64]]:
    """Run a simulator process that writes its noise-free expectation, and read it.

    Parameters
    ----------
    scenario : str or Path
    energies : ndarray, keV
    delay : float
        Pump-probe delay, ps.
    fluence : float
        mJ/cm2.
    temperatures : sequence of float
        degC, of the powder of the scenario.

    Raises
    ------
    RuntimeError
        If the process fails, with the end of its output.
    """
    with tempfile.TemporaryDirectory(prefix="trxas-") as folder:
        request, result_file = Path(folder) / "request.json", Path(folder) / "answer.npz"
        wanted = {"energies_keV": energies.tolist(), "delay_ps": delay, "fluence_mJ_cm2": fluence}
        request.write_text(json.dumps({**wanted, "temperatures_degC": list(temperatures)}))
        command = [sys.executable, "-m", "sim_ioc.expect", "--scenario", str(scenario)]
        command += ["--request", str(request), "--out", str(result_file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"the simulator gave no expectation: {done.stderr.strip().splitlines()[-1:]}")
        with np.load(result_file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}


def expected_spectrum(expectation: dict[str, NDArray[np.float64]], settings: Settings) -> Spectrum:
    """The expectation through the complete chain, from hits to spectra."""
    pattern = Pattern(
        int(expectation["num_bunches"]),
        int(expectation["divider"]),
        int(expectation["laser_phase"]),
        float(expectation["bunch_rate_hz"]),
    )
    delays = expectation["slot_delays_ps"]
    pattern = with_bins(pattern, settings, float(delays[0]))
    energies = expectation["energies_keV"]
    background = Background.of(settings, pattern)
    sums = CountingAccumulator(pattern, energies.size, settings.i0_noise, background=background)
    gates = np.full(pattern.num_phases, GATES, dtype=np.int64)
    for point in range(energies.size):
        flux = float(expectation["i0_rate"][point] - expectation["i0_dark"]) / pattern.bunch_rate
        for segment, laser in enumerate(("off", "on")):
            hits = np.rint(-np.expm1(-expectation[f"mu_{laser}"][point]) * GATES).astype(np.int64)
            sums.add(
                Dwell("expected", point, segment, 0, laser == "on", "good", flux, hits, gates, pattern.laser_phase)
            )
    return reduce_spectrum(energies, sums.result(), settings, pattern.mean_by_slot(delays))
