"""Area detector whose server writes the images, with the records of areaDetector's driver for Pilatus."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import uuid4

import numpy as np
from ophyd import Component as Cpt
from ophyd import Signal

from devices.base.bulk_read import fetch_value
from devices.base.counting import END_TIMEOUT, CountingDetector
from devices.base.settings import Adjustment, LongText, Setting
from devices.base.signals import PolledNumber, PolledReadback, Readback, SoftSignal
from devices.channel_access import ThreadlessStatus

FOLDERS_MADE = -8


class CharacterArray(PolledReadback):
    """A text in an array of characters, for example the path of the file that was written last."""

    def convert(self, raw: Any) -> str:
        if isinstance(raw, str):
            return raw
        return np.atleast_1d(raw).astype(np.uint8).tobytes().partition(b"\0")[0].decode("utf-8", "replace")

    def mismatch(self) -> str:
        kind = self._read_pv.type.rpartition("_")[2]
        return "" if kind in ("char", "string") else f"{self.pvname} is of type {kind}, not a text"

    def describe(self) -> dict[str, dict[str, Any]]:
        return {self.name: {"source": self.source_name, "dtype": "string", "shape": [], "dtype_numpy": "<U256"}}


class ImageDetector(CountingDetector):
    """One image a count, in a file that a server writes. Subclasses define the components annotated here."""

    watched: ClassVar[Mapping[str, float]] = {"preset_time": 0.0, "threshold": 0.0}

    exposure: PolledNumber
    folder: SoftSignal
    create_directory: Setting
    file_path: LongText
    file_name: LongText
    message: CharacterArray
    acquire: Setting

    def stage(self) -> list[object]:
        """Give the files of this run their folder and a name of their own.

        Raises
        ------
        ValueError
            Without a folder.
        """
        if not self.folder.get():
            raise ValueError(f"{self.name} has no folder for its files: set {self.name}.folder")
        for signal, value in self._of_this_run():
            signal.set(value).wait(END_TIMEOUT)
        return super().stage()

    def _of_this_run(self) -> list[tuple[Signal, Any]]:
        """What is set for a run, in order."""
        return [
            (self.create_directory, FOLDERS_MADE), (self.file_path, self.folder.get()), (self.file_name, str(uuid4()))
        ]  # fmt: skip

    def _not_written(self, why: str) -> RuntimeError:
        """The error of an image that is not there, with what the server reports."""
        said = self.message.get() or "no message"
        return RuntimeError(f"{self.name} has written no image, {why}: {said} ({self.message.pvname})")

    @property
    def counted_key(self) -> str:
        """Data key of the exposure (s)."""
        return str(self.exposure.name)

    @property
    def go(self) -> Setting:
        """The busy record; its put completes when the file is there."""
        return self.acquire

    def complaints(self) -> list[str]:
        """What the server reports about its last file."""
        said = str(self.message.get())
        return [f"{self.message.pvname}: {said}"] if said else []


class AreaDetector(ImageDetector):
    """One image a count, written by the server of the detector; prefix for example ``X10DA-ES1-PIL:cam1:``.

    An event has the path of the file and the number of images so far.
    """

    _images_before = -1.0
    """Images before the last one was triggered."""

    file = Cpt(CharacterArray, "FullFileName_RBV", kind="normal")
    images = Cpt(PolledNumber, "ArrayCounter_RBV", kind="normal")
    exposure = Cpt(PolledNumber, "AcquireTime_RBV", units="s", kind="normal")
    preset_time = Cpt(Setting, "AcquireTime", put_complete=True, limits=True, units="s", kind="config")
    threshold = Cpt(Adjustment, "ThresholdEnergy", units="keV", kind="config")
    columns = Cpt(Readback, "SizeX_RBV", auto_monitor=True, kind="config")
    rows = Cpt(Readback, "SizeY_RBV", auto_monitor=True, kind="config")
    folder = Cpt(SoftSignal, value="", longest=255, kind="omitted")
    """Where the files are written, as the server of the detector sees it."""
    template = Cpt(SoftSignal, value="", longest=255, kind="omitted")
    """C format of path, name and number, whose suffix is that of the format; empty: as the server has it."""
    create_directory = Cpt(Setting, "CreateDirectory", put_complete=True, kind="omitted")
    """Below 0: folders that the server may make at the end of the path."""
    file_path = Cpt(LongText, "FilePath", kind="omitted")
    file_name = Cpt(LongText, "FileName", kind="omitted")
    file_template = Cpt(LongText, "FileTemplate", kind="omitted")
    message = Cpt(CharacterArray, "StatusMessage_RBV", kind="omitted")
    acquire = Cpt(Setting, "Acquire", put_complete=True, kind="omitted")

    def _of_this_run(self) -> list[tuple[Signal, Any]]:
        template = self.template.get()
        return [*super()._of_this_run(), *([(self.file_template, template)] if template else [])]

    def trigger(self) -> ThreadlessStatus:
        """Take an image; done when its file is there."""
        self._images_before = fetch_value(self.images)
        return super().trigger()

    def read(self) -> OrderedDict[str, dict[str, Any]]:
        """Readings of the last image.

        Raises
        ------
        RuntimeError
            If the server has not written it, with what it reports.
        """
        found = super().read()
        if found[self.images.name]["value"] == self._images_before:
            raise self._not_written(f"{self.images.pvname} is {self._images_before:g} as before")
        return found
