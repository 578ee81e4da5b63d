"""Files of the simulated digitiser on a disk that fills up, and puts that it refuses."""

from __future__ import annotations

import asyncio
import resource
import subprocess

import h5py
import numpy as np
import pytest

from tests.sim_ioc.digitiser_bench import DIG, FPGA, LENGTH, Bench, rows_of


def test_a_full_disk_ends_the_capture_and_the_counter_counts_on(tmp_path):
    bench = Bench(tmp_path)

    async def work():
        await bench.open()
        await bench.dwell(0.05)
        await bench.put(f"{DIG}MinFree", 2**30)
        await bench.dwell(0.05)

    asyncio.run(work())
    assert bench.get(f"{DIG}Capture") == "Done"
    assert bench.get(f"{DIG}WriteStatus") == "Write error"
    assert "no room" in bench.get(f"{DIG}WriteMessage")
    assert bench.get(f"{DIG}NumBlocks") == 0
    gates = np.asarray(bench.get(f"{FPGA}Gates"), np.int64).sum()
    assert (
        bench.get(f"{DIG}Dropped") == gates == pytest.approx(0.05 * bench.beamline.world.model.bunch_rate_hz, rel=1e-3)
    )
    heights, _ = rows_of(bench.get(f"{DIG}FullFileName_RBV"))
    assert sum(each.size for each in heights) == pytest.approx(
        0.05 * bench.beamline.world.model.bunch_rate_hz, rel=1e-3
    )


def check_ended_cleanly(bench, written, seconds):
    """The capture ended by itself with what it had written; the counter counted on; each shot is there or dropped."""
    assert bench.get(f"{DIG}Capture") == "Done" and bench.get(f"{DIG}WriteStatus") == "Write error"
    assert "no room for another block" in bench.get(f"{DIG}WriteMessage")
    with h5py.File(bench.get(f"{DIG}FullFileName_RBV"), "r") as file:  # not swmr: the file was ended
        assert file["shots/heights"].shape[0] == len(file["shots/number"])
    heights, columns = rows_of(bench.get(f"{DIG}FullFileName_RBV"))
    np.testing.assert_array_equal(columns["number"], np.arange(len(heights)))
    assert all(each.any() for each in heights)
    gates = np.asarray(bench.get(f"{FPGA}Gates"), np.int64).sum()
    assert gates == pytest.approx(seconds * bench.beamline.world.model.bunch_rate_hz, rel=1e-3)
    last = sum(each.size for each in heights) - written
    assert bench.get(f"{DIG}Dropped") + last == gates and 0 < last < gates


def test_a_disk_that_fills_up_under_a_block_leaves_a_whole_file(tmp_path):
    """The free space that the disk reports is there, and yet a write would fail, as with a quota."""
    bench, limits = Bench(tmp_path), resource.getrlimit(resource.RLIMIT_FSIZE)

    async def work():
        await bench.open()
        await bench.dwell(0.05)
        await bench.dwell(0.05)

    resource.setrlimit(resource.RLIMIT_FSIZE, (2_500_000, limits[1]))
    try:
        asyncio.run(work())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    turn = bench.beamline.world.model.num_phases
    first = int(0.05 * bench.beamline.world.model.bunch_rate_hz / turn + 1e-6) * turn
    check_ended_cleanly(bench, first, 0.05)


@pytest.mark.long
def test_a_small_disk_that_is_full_leaves_a_whole_file(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("may not mount a small disk here")
    bench = Bench(disk)

    async def work():
        await bench.put(f"{DIG}MinFree", 0)
        await bench.open()
        await bench.dwell(0.5)

    try:
        asyncio.run(work())
        check_ended_cleanly(bench, 0, 0.5)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_an_existing_file_is_not_written_over(tmp_path):
    bench = Bench(tmp_path)
    (tmp_path / "shots").mkdir()
    (tmp_path / "shots" / "shots.h5").write_bytes(b"mine")

    async def work():
        with pytest.raises(ValueError, match="no file can be opened"):
            await bench.open()

    asyncio.run(work())
    assert (tmp_path / "shots" / "shots.h5").read_bytes() == b"mine"
    assert bench.get(f"{DIG}WriteStatus") == "Write error"


def test_a_capture_that_is_refused_leaves_the_record_at_done(tmp_path):
    bench = Bench(tmp_path)

    async def work():
        with pytest.raises(ValueError, match="FilePath is empty"):
            await bench.put(f"{DIG}Capture", "Capture")

    asyncio.run(work())
    assert bench.get(f"{DIG}Capture") == "Done"


def test_a_length_that_is_refused_while_a_file_is_open_is_not_shown(tmp_path):
    bench = Bench(tmp_path)

    async def work():
        await bench.open()
        with pytest.raises(ValueError, match="end the capture first"):
            await bench.put(f"{DIG}ShotsPerBlock", 2 * LENGTH)
        shown = bench.get(f"{DIG}ShotsPerBlock")
        await bench.put(f"{DIG}Capture", "Done")
        await bench.put(f"{DIG}ShotsPerBlock", 2 * LENGTH)
        return shown, bench.get(f"{DIG}ShotsPerBlock")

    assert asyncio.run(work()) == (LENGTH, 2 * LENGTH)
