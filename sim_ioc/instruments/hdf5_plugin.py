"""The HDF5 plugin of areaDetector: frames of a driver in files of its own, while it captures."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sim_ioc.instruments.image_files import write_image
from sim_ioc.records.channels import Limits
from sim_ioc.records.device import SimDevice
from sim_ioc.records.fields import Shown, long_in, long_out, states
from sim_ioc.records.text import text_waveform

MODES = ("Single", "Capture", "Stream")


class SimHdf5Plugin(SimDevice):
    """One frame a file: streams of more are refused."""

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self._path, self._name = (
            text_waveform("", text, True) for text in ("folder of the files", "name of the files")
        )
        self._template = text_waveform("%s%s_%5.5d.h5", "C format of path, name and number", True)
        self._full = text_waveform("", "last file", False)
        self._message = text_waveform("", "what went wrong", False)
        self._enabled = states("Disable", ("Disable", "Enable"), "bo", "whether frames reach the plugin")
        self._mode = states("Single", MODES, "mbbo", "Stream: each frame at once, while it captures")
        self._capture = states("Done", ("Done", "Capture"), "busy", "1 until the frames are written", self._put_capture)
        self._folders = long_out(0, Shown(), Limits(-100, 0), "below 0: so many folders of the path may be made")
        self._number = long_out(0, Shown(), Limits(0, 2**31 - 1), "number of the next file")
        self._increments = states("Yes", ("No", "Yes"), "bo", "whether the next file has the next number")
        self._captured = long_in(0, Shown(), "frames in the file")
        named = {
            "EnableCallbacks": self._enabled, "FileWriteMode": self._mode, "Capture": self._capture,
            "NumCapture": long_out(1, Shown(), Limits(1, 1), "frames of a file"), "NumCaptured_RBV": self._captured,
            "FilePath": self._path, "FileName": self._name, "FileTemplate": self._template,
            "FileNumber": self._number, "AutoIncrement": self._increments,
            "FullFileName_RBV": self._full, "WriteMessage": self._message,
            "CreateDirectory": self._folders,
            "LazyOpen": states("No", ("No", "Yes"), "bo", "whether the first frame opens the file"),
        }  # fmt: skip
        self.records = {f"{prefix}{name}": record for name, record in named.items()}

    async def _put_capture(self, name: str) -> None:
        if name == "Capture":
            await self._captured.post(0)

    async def take(self, frame: NDArray[np.int32]) -> None:
        """Write a frame, if it is wanted."""
        if self._enabled.value != "Enable" or self._capture.value != "Capture" or self._mode.value != "Stream":
            return
        number = int(self._number.value)
        try:
            file = Path(str(self._template.value) % (f"{self._path.value}/", self._name.value, number))
            if int(self._folders.value) < 0:
                file.parent.mkdir(parents=True, exist_ok=True)
            await asyncio.to_thread(write_image, file, frame)
        except (OSError, TypeError, ValueError) as error:
            await self._message.post(f"no file: {error}"[:255])
        else:
            await self._message.post("")
            await self._full.post(str(file), always=True)
            await self._captured.post(1)
            if self._increments.value == "Yes":
                await self._number.post(number + 1)
        await self._capture.post("Done")
