"""Area detector whose images are written by the HDF5 plugin of areaDetector, beside the files of its driver."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from ophyd import Component as Cpt
from ophyd import Signal

from devices.base.abort import BUSY, abandon_count
from devices.base.settings import Adjustment, LongText, Setting
from devices.base.signals import PolledNumber, Readback, SoftSignal
from devices.channel_access import ThreadlessStatus
from devices.instruments.area_detector import CharacterArray, ImageDetector

STREAM = 2
"""Of FileWriteMode: frames go to the file as they come."""


class AreaDetectorHdf5(ImageDetector):
    """One image a count, in a file of the plugin ``HDF1:``; prefix for example ``X10DA-ES1-PIL:``.

    The plugin captures one frame a file, and the driver (``cam1:``) completes when its plugins are done. An event has
    the path of the file, how many frames are in it, and the number of images so far.
    """

    file = Cpt(CharacterArray, "HDF1:FullFileName_RBV", kind="normal")
    captured = Cpt(PolledNumber, "HDF1:NumCaptured_RBV", kind="normal")
    images = Cpt(PolledNumber, "cam1:ArrayCounter_RBV", kind="normal")
    exposure = Cpt(PolledNumber, "cam1:AcquireTime_RBV", units="s", kind="normal")
    preset_time = Cpt(Setting, "cam1:AcquireTime", put_complete=True, limits=True, units="s", kind="config")
    threshold = Cpt(Adjustment, "cam1:ThresholdEnergy", units="keV", kind="config")
    columns = Cpt(Readback, "cam1:SizeX_RBV", auto_monitor=True, kind="config")
    rows = Cpt(Readback, "cam1:SizeY_RBV", auto_monitor=True, kind="config")
    folder = Cpt(SoftSignal, value="", longest=255, kind="omitted")
    """Where the files are written, as the server of the plugin sees it."""
    template = Cpt(SoftSignal, value="%s%s_%5.5d.h5", longest=255, kind="omitted")
    """C format of path, name and number."""
    create_directory = Cpt(Setting, "HDF1:CreateDirectory", put_complete=True, kind="omitted")
    """Below 0: folders that the server may make at the end of the path."""
    file_path = Cpt(LongText, "HDF1:FilePath", kind="omitted")
    file_name = Cpt(LongText, "HDF1:FileName", kind="omitted")
    file_template = Cpt(LongText, "HDF1:FileTemplate", kind="omitted")
    callbacks = Cpt(Setting, "HDF1:EnableCallbacks", put_complete=True, kind="omitted")
    write_mode = Cpt(Setting, "HDF1:FileWriteMode", put_complete=True, kind="omitted")
    lazy_open = Cpt(Setting, "HDF1:LazyOpen", put_complete=True, kind="omitted")
    """1: the file is opened by the first frame, whose size the plugin need not know before."""
    auto_increment = Cpt(Setting, "HDF1:AutoIncrement", put_complete=True, kind="omitted")
    """1: each file has a number of its own; without it the images of a run would replace each other."""
    number_of_frames = Cpt(Setting, "HDF1:NumCapture", put_complete=True, kind="omitted")
    capture = Cpt(Setting, "HDF1:Capture", kind="omitted")
    message = Cpt(CharacterArray, "HDF1:WriteMessage", kind="omitted")
    array_callbacks = Cpt(Setting, "cam1:ArrayCallbacks", put_complete=True, kind="omitted")
    """1: the driver hands its frames to the plugins."""
    wait_for_plugins = Cpt(Setting, "cam1:WaitForPlugins", put_complete=True, kind="omitted")
    acquire = Cpt(Setting, "cam1:Acquire", put_complete=True, kind="omitted")

    def _of_this_run(self) -> list[tuple[Signal, Any]]:
        return [
            (self.array_callbacks, 1), (self.callbacks, 1), (self.write_mode, STREAM), (self.lazy_open, 1),
            (self.number_of_frames, 1), (self.auto_increment, 1), (self.wait_for_plugins, 1), *super()._of_this_run(),
            (self.file_template, self.template.get()),
        ]  # fmt: skip

    def trigger(self) -> ThreadlessStatus:
        """Take an image; done when its file is there."""
        self.capture.put(BUSY, wait=False)
        return super().trigger()

    def read(self) -> OrderedDict[str, dict[str, Any]]:
        """Readings of the last image.

        Raises
        ------
        RuntimeError
            If the plugin has not written it, with what it reports.
        """
        found = super().read()
        if found[self.captured.name]["value"] != 1:
            frames = found[self.captured.name]["value"]
            raise self._not_written(f"{self.captured.pvname} is {frames:g}")
        return found

    def unstage(self) -> list[object]:
        """As every detector, and capture nothing more."""
        unstaged = super().unstage()
        abandon_count(self, self.capture)
        return unstaged
