"""Measurements that are interrupted again and again: their sum is that of one that was not."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest

from beamline.records.journal import run_files
from beamline.session.scans.resume import ResumeError, remaining
from plans.execution.run_scan import measure
from tests.beamline.photon_bench import I0_RATE, PHASES, RATE, SAMPLE, PhotonBench, photons, summed
from tests.beamline.test_resume import BROKEN, GRID, PASSES, scan


def kill(root: Path, rng: np.random.Generator) -> None:
    """What a killed session leaves: its last file ends anywhere, without a stop document, often within a record."""
    path = max(run_files(root), key=lambda each: each.stat().st_mtime_ns)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(rng.uniform(0.5, 1.0) * len(whole))])


def interrupted(root: Path, seed: int, order: str = "ascending") -> list[PhotonBench]:
    """A measurement interrupted at random actions until it is complete; every second time by a kill."""
    rng = np.random.default_rng(seed)
    evenings = [PhotonBench(root, seed=1000 * seed)]
    evenings[0].notes.fail_in(int(rng.integers(20, 400)))
    with contextlib.suppress(*BROKEN):  # a shutter that refuses once is asked again, and nothing breaks off
        evenings[0].run(scan(evenings[0], order=order))
    evenings[0].close()
    kill(root, rng)
    while True:
        try:
            compiled_scan = remaining(root, "5eed", SAMPLE)
        except ResumeError as error:
            if "nothing is left" in str(error):
                return evenings
            (cut_off,) = run_files(root)  # nothing but a run that has lost its start document: a new measurement
            assert f"left alone: {cut_off.name} (it has no start document that can be read)" in str(error)
            evenings.append(PhotonBench(root, seed=1000 * seed + len(evenings)))
            evenings[-1].run(scan(evenings[-1], order=order))
            evenings[-1].close()
            continue
        evening = PhotonBench(root, seed=1000 * seed + len(evenings))
        evenings.append(evening)
        evening.notes.fail_in(int(rng.integers(20, 600)))
        try:
            evening.run(measure(evening.instruments, compiled_scan, {"reference": "combined"}))
        except BROKEN:
            assert evening.shutter.value == 0
            evening.close()
            if len(evenings) % 2:
                kill(root, rng)
        evening.close()


def pulls(root: Path, sees: float = 1.0) -> np.ndarray:
    """Measured minus true rates of all points, slots and laser states over their errors.

    Counters that see this many times the photons.
    """
    spectrum = summed(root, "5eed0000").spectrum()
    assert spectrum.dwells.tolist() == [[2 * PASSES] * len(GRID)] * 2  # no point twice, none half, none missing
    flux = I0_RATE / RATE
    truth = sees * np.array(
        [[[photons(e, on)[np.arange(PHASES) % 5 == s].mean() for e in GRID] for s in range(5)] for on in (0, 1)]
    )
    variance = np.einsum("isse->ise", spectrum.rate_covariance)
    return np.asarray(((spectrum.rate - truth / flux) / np.sqrt(variance)).ravel())


def check_pulls(found: list[np.ndarray]) -> None:
    """Mean 0 and standard deviation 1 within 4.5 standard errors."""
    all_of_them = np.concatenate(found)
    assert abs(all_of_them.mean()) < 4.5 / np.sqrt(all_of_them.size)
    assert abs(all_of_them.std() - 1) < 4.5 / np.sqrt(2 * all_of_them.size)


def unbroken(root: Path, seed: int) -> None:
    evening = PhotonBench(root, seed=seed)
    evening.run(scan(evening))
    evening.close()


def test_the_sum_of_a_broken_measurement_is_that_of_an_unbroken_one(tmp_path: Path) -> None:
    """Five measurements interrupted at random actions, and one that was not: pulls against the truth."""
    broken = [interrupted(tmp_path / str(seed), seed, "alternating" if seed % 2 else "ascending") for seed in range(5)]
    assert sum(len(evenings) for evenings in broken) > 10
    unbroken(tmp_path / "whole", 77)
    check_pulls([pulls(tmp_path / name) for name in ("0", "1", "2", "3", "4", "whole")])


@pytest.mark.long
def test_many_broken_measurements(tmp_path: Path) -> None:
    found = []
    for seed in range(100, 160):
        interrupted(tmp_path / str(seed), seed, ("ascending", "alternating", "random")[seed % 3])
        found.append(pulls(tmp_path / str(seed)))
    check_pulls(found)
