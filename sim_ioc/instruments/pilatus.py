"""Area detector of 487 x 195 pixels, with the records of the areaDetector driver for Pilatus; it writes the files."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sim_ioc.instruments.hdf5_plugin import SimHdf5Plugin
from sim_ioc.instruments.image_files import write_image
from sim_ioc.physics.powder import PowderWorld
from sim_ioc.records.busy import BusyRecord
from sim_ioc.records.channels import Limits
from sim_ioc.records.device import SimDevice
from sim_ioc.records.fields import Shown, analog_in, analog_out, long_in, long_out, states
from sim_ioc.records.text import text_waveform

CAMERA, PLUGIN = "X10DA-ES1-PIL:cam1:", "X10DA-ES1-PIL:HDF1:"
READOUT_S = 0.003


class SimPilatus(SimDevice):
    """One image for each acquisition, in the file that path, name, number and template give: TIFF, or HDF5 for .h5.

    Without a path it writes none. Each image goes to the plugin, for which an acquisition waits.
    """

    def __init__(self, powder: PowderWorld, plugin: SimHdf5Plugin) -> None:
        super().__init__()
        self._plugin = plugin
        self._powder, self._clock, self._stopped = powder, powder.world.clock, False
        names, meaning = ("Done", "Acquire"), "1 takes an image; complete when its file is there"
        self._busy = BusyRecord(self._start, self._stop, names, "busy", meaning)
        times = Limits(1e-3, 3600.0)
        self._time = analog_out(1.0, Shown("s", 4), times, "exposure, beamline seconds", self._put_time)
        self._period = analog_out(1.0 + READOUT_S, Shown("s", 4), times, "from one exposure to the next")
        self._time_rbv = analog_in(1.0, Shown("s", 4), "exposure of the last image")
        self._path, self._name = (
            text_waveform("", text, True) for text in ("folder of the files", "name of the files")
        )
        self._template = text_waveform("%s%s_%5.5d.tif", "C format of path, name and number", True)
        self._full = text_waveform("", "last file", False)
        self._folders = long_out(0, Shown(), Limits(-100, 0), "below 0: so many folders of the path may be made")
        self._number = long_out(0, Shown(), Limits(0, 2**31 - 1), "number of the next file")
        self._counter = long_in(0, Shown(), "images so far")
        self._message = text_waveform("", "what went wrong", False)
        self._callbacks = states("Enable", ("Disable", "Enable"), "bo", "whether images reach the plugins")
        along, across = powder.truth.camera.pixels
        named = {
            "Acquire": self._busy.record, "AcquireTime": self._time, "AcquireTime_RBV": self._time_rbv,
            "AcquirePeriod": self._period, "FilePath": self._path, "FileName": self._name, "FileNumber": self._number,
            "FileTemplate": self._template, "FullFileName_RBV": self._full, "ArrayCounter_RBV": self._counter,
            "StatusMessage_RBV": self._message, "CreateDirectory": self._folders,
            "NumImages": long_out(1, Shown(), Limits(1, 1), "images of an acquisition"),
            "SizeX_RBV": long_in(along, Shown("pixel"), "pixels of a row"),
            "SizeY_RBV": long_in(across, Shown("pixel"), "rows"),
            "ThresholdEnergy": analog_out(6.5, Shown("keV", 3), Limits(2.0, 20.0), "energy threshold of the pixels"),
            "WaitForPlugins": states("Yes", ("No", "Yes"), "bo", "whether it is done when its plugins are"),
            "ArrayCallbacks": self._callbacks,
            "TriggerMode": states("Internal", ("Internal", "Ext. Enable", "Ext. Trigger"), "mbbo", "trigger"),
        }  # fmt: skip
        self.records = {f"{CAMERA}{name}": record for name, record in named.items()}

    async def _put_time(self, seconds: float) -> None:
        await self._period.post(seconds + READOUT_S)

    def _start(self) -> None:
        self._stopped = False
        self.spawn(self._acquire(self._clock.now(), float(self._time.value)))

    def _stop(self) -> None:
        self._stopped = True

    async def _acquire(self, start_s: float, seconds: float) -> None:
        while not self._stopped and (left := start_s + seconds - self._clock.now()) > 0:
            await self._clock.sleep(min(left, 0.05 * self._clock.speedup))
        if self._stopped:
            await self._busy.done()
            return
        image = self._powder.image(start_s, start_s + seconds)
        if not str(self._path.value) or await self._write(image):
            await self._counter.post(int(self._counter.value) + 1)
        await self._time_rbv.post(seconds, always=True)
        if self._callbacks.value == "Enable":
            await self._plugin.take(image)
        await self._busy.done()

    async def _write(self, image: NDArray[np.int32]) -> bool:
        """Write the driver's own file; whether it is there."""
        number = int(self._number.value)
        try:
            file = Path(str(self._template.value) % (f"{self._path.value}/", self._name.value, number))
            if int(self._folders.value) < 0:
                file.parent.mkdir(parents=True, exist_ok=True)
            await asyncio.to_thread(write_image, file, image)
        except (OSError, TypeError, ValueError) as error:
            await self._message.post(f"no file: {error}"[:255])
            return False
        await self._message.post("")
        await self._full.post(str(file), always=True)
        await self._number.post(number + 1)
        return True
