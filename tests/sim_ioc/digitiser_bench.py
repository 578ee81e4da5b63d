"""A simulated digitiser with its photon counter, without a server, and the rows of its file."""

from __future__ import annotations

import asyncio
from pathlib import Path

import h5py

from sim_ioc.beamline import SimBeamline
from sim_ioc.scenario.scenario import load_scenario
from tests.helpers.ioc_process import write_scenario

DIG, FPGA = "sim:7idd:DIG1:", "sim:7idd:FPGA1:"
LENGTH = 100_000


class Bench:
    """Records of a beamline without a server."""

    def __init__(self, folder: Path, speedup: float = 1.0, **differs) -> None:
        scenario = (
            load_scenario(str(write_scenario(differs, folder / "scenario.toml"))) if differs else load_scenario(None)
        )
        self.beamline = SimBeamline(scenario, speedup)
        self.records = self.beamline.records("sim:")
        self.folder = folder

    async def put(self, name, value):
        await self.records[name].put(value)

    def get(self, name):
        return self.records[name].value

    async def open(self, length=LENGTH):
        await self.put(f"{DIG}ShotsPerBlock", length)
        await self.put(f"{DIG}FilePath", str(self.folder / "shots"))
        await self.put(f"{DIG}Capture", "Capture")

    async def dwell(self, seconds):
        """Arm the digitiser, count, and return when both are done."""
        await self.put(f"{FPGA}PresetTime", seconds)
        armed = asyncio.ensure_future(self.put(f"{DIG}Acquire", "Acquire"))
        await asyncio.sleep(0)
        await self.put(f"{FPGA}Acquire", "Acquire")
        await asyncio.wait_for(armed, 30)


def rows_of(path):
    """Valid heights of each row, and the columns."""
    with h5py.File(path, "r", swmr=True) as file:
        group = file["shots"]
        columns = {name: group[name][:] for name in ("number", "first_phase", "num_valid", "missing")}
        heights = [group["heights"][row, :valid] for row, valid in enumerate(columns["num_valid"])]
        return heights, columns
