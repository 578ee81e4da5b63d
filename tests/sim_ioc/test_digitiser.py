"""The simulated digitiser: its file, its counters, and that the photon counter saw the same photons."""

from __future__ import annotations

import asyncio

import h5py
import numpy as np
import pytest

from tests.sim_ioc.digitiser_bench import DIG, FPGA, LENGTH, Bench, rows_of

THRESHOLD = 1000  # 50 mV at 20 ADC units per mV


def shots_in_order(heights, columns, first, number):
    """Heights and phases of a dwell's shots, missing ones as NaN."""
    pieces = []
    for row in range(first, first + number):
        gap = int(columns["missing"][row]) if row > first else 0
        pieces += [np.full(gap, np.nan), heights[row].astype(float)]
    return np.concatenate(pieces)


def check_against_counter(bench, heights, columns, num_phases):
    first, number = bench.get(f"{DIG}FirstBlock"), bench.get(f"{DIG}NumBlocks")
    shots = shots_in_order(heights, columns, first, number)
    phase = (columns["first_phase"][first] + np.arange(shots.size)) % num_phases
    there, hit = ~np.isnan(shots), np.nan_to_num(shots, nan=-1e9) > THRESHOLD
    np.testing.assert_array_equal(bench.get(f"{FPGA}Gates"), np.bincount(phase[there], minlength=num_phases))
    np.testing.assert_array_equal(bench.get(f"{FPGA}Counts"), np.bincount(phase[hit], minlength=num_phases))
    coinc = np.array(bench.get(f"{FPGA}Coinc")).reshape(5, num_phases)
    gates = np.array(bench.get(f"{FPGA}PairGates")).reshape(5, num_phases)
    before = np.array(bench.get(f"{FPGA}PrevHits")).reshape(5, num_phases)
    hits = np.array(bench.get(f"{FPGA}PairCounts")).reshape(5, num_phases)
    for lag in range(1, 6):
        later = phase[lag:]
        for found, marks in (
            (gates, there[lag:] & there[:-lag]), (hits, hit[lag:] & there[:-lag]),
            (before, there[lag:] & hit[:-lag]), (coinc, hit[lag:] & hit[:-lag]),
        ):  # fmt: skip
            np.testing.assert_array_equal(found[lag - 1], np.bincount(later[marks], minlength=num_phases))
    return shots


def test_counter_and_file_have_the_same_photons(tmp_path):
    bench = Bench(tmp_path)

    async def work():
        await bench.open()
        await bench.dwell(0.2)
        await bench.dwell(0.1)
        await bench.put(f"{DIG}Capture", "Done")

    asyncio.run(work())
    assert bench.get(f"{DIG}WriteStatus") == "Write OK"
    heights, columns = rows_of(bench.get(f"{DIG}FullFileName_RBV"))
    num_phases = bench.get(f"{DIG}NumPhases_RBV")
    np.testing.assert_array_equal(columns["number"], np.arange(len(heights)))
    shots = check_against_counter(bench, heights, columns, num_phases)
    assert shots.size == int(0.1 * bench.beamline.world.model.bunch_rate_hz / num_phases + 1e-6) * num_phases
    assert bench.get(f"{DIG}FirstBlock") == np.ceil(0.2 * bench.beamline.world.model.bunch_rate_hz / LENGTH)
    preview = bench.get(f"{DIG}Block")
    np.testing.assert_array_equal(preview, heights[-1][: preview.size])
    assert bench.get(f"{DIG}Dropped") == 0


def test_missing_shots_lie_between_blocks(tmp_path):
    bench = Bench(tmp_path)

    async def work():
        bench.beamline.world.missing_fraction.set(0.0, 0.1)
        await bench.open()
        await bench.dwell(0.1)
        await bench.put(f"{DIG}Capture", "Done")

    asyncio.run(work())
    heights, columns = rows_of(bench.get(f"{DIG}FullFileName_RBV"))
    check_against_counter(bench, heights, columns, bench.get(f"{DIG}NumPhases_RBV"))
    assert columns["missing"][1] == 10_000
    assert bench.get(f"{DIG}Dropped") == pytest.approx(0.1 * 0.1 * bench.beamline.world.model.bunch_rate_hz, rel=1e-3)


@pytest.mark.long
def test_too_fast_a_clock_drops_shots_and_reports_how_many(tmp_path):
    bench = Bench(tmp_path, speedup=500.0)

    async def work():
        await bench.open(2**20)
        await bench.dwell(1500.0)
        await bench.put(f"{DIG}Capture", "Done")

    asyncio.run(work())
    _, columns = rows_of(bench.get(f"{DIG}FullFileName_RBV"))
    shots = int(columns["num_valid"].sum())
    turn = bench.beamline.world.model.num_phases
    whole = int(1500 * bench.beamline.world.model.bunch_rate_hz / turn + 1e-6) * turn
    assert bench.get(f"{DIG}Dropped") == whole - shots > 0
    gates = np.asarray(bench.get(f"{FPGA}Gates"), np.int64).sum()
    # The counter counts on: it loses what top-ups veto, 20 ms in 60 s at most, and turns cut into.
    assert 0 <= whole - gates <= 4e-4 * whole and gates > shots


def test_heights_have_the_width_and_the_mean_of_photons(tmp_path):
    """One photon is 100 mV high and 22 % wide (FWHM, noise included); zeros are as wide as the noise."""
    bench = Bench(tmp_path)

    async def work():
        bench.beamline.world.xray_open.set(0.0, True)
        await bench.open()
        await bench.dwell(0.1)
        await bench.put(f"{DIG}Capture", "Done")

    asyncio.run(work())
    heights = np.concatenate(rows_of(bench.get(f"{DIG}FullFileName_RBV"))[0]).astype(float)
    none, one = heights[heights <= THRESHOLD], heights[(heights > THRESHOLD) & (heights < 2400)]
    assert none.std() == pytest.approx(80, rel=0.02)
    assert np.median(one) == pytest.approx(2000, rel=0.02)
    hits = (heights > THRESHOLD).mean()
    photons = -np.log(1 - hits)
    # Mean height of all shots = photons a gate times one photon; within 5 standard errors of the mean.
    assert heights.mean() == pytest.approx(
        2000 * photons, abs=5 * heights.std() / np.sqrt(heights.size) + 0.02 * photons * 2000
    )


@pytest.mark.long
@pytest.mark.timeout(200)
def test_full_rate_for_a_minute_loses_nothing_or_reports_it(tmp_path):
    bench = Bench(tmp_path)

    async def work():
        await bench.open(2**20)
        await bench.put(f"{FPGA}PresetTime", 60.0)
        armed = asyncio.ensure_future(bench.put(f"{DIG}Acquire", "Acquire"))
        await asyncio.sleep(0)
        await bench.put(f"{FPGA}Acquire", "Acquire")
        await asyncio.wait_for(armed, 120)
        await bench.put(f"{DIG}Capture", "Done")

    asyncio.run(work())
    with h5py.File(bench.get(f"{DIG}FullFileName_RBV"), "r") as file:
        shots = int(file["shots/num_valid"][:].sum())
    turn = bench.beamline.world.model.num_phases
    whole = int(60 * bench.beamline.world.model.bunch_rate_hz / turn + 1e-6) * turn
    print(f"{shots} shots, {bench.get(f'{DIG}Dropped')} dropped of {whole}")
    assert shots + bench.get(f"{DIG}Dropped") == whole
