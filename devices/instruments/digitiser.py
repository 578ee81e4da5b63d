"""Shot-by-shot digitiser: the instrument writes its own files, and stream documents refer to their rows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from bluesky.protocols import StreamAsset
from ophyd import Component as Cpt
from ophyd import EpicsSignalRO
from ophyd.status import Status

from devices.base.abort import BUSY, DONE, FAILED, abort_count
from devices.base.bulk_read import fetch
from devices.base.device import StationDevice
from devices.base.settings import NOT_SENT, LongText, Setting
from devices.base.signals import PolledReadback, Readback, SoftSignal
from devices.channel_access import ThreadlessStatus

END_TIMEOUT = 30.0
"""Seconds of wall time for the digitiser to open or close a file, or to abort a dwell."""
DATASETS = {
    "heights": "<i2",
    "monitor": "<i2",
    "number": "<i8",
    "first_phase": "<i4",
    "num_valid": "<i4",
    "missing": "<i8",
}
"""Datasets of the instrument's file below ``/shots``, with their types; the first two hold a row of shots per block."""
ROWS = ("heights", "monitor")
UNITS = {"heights": "ADC units", "monitor": "ADC units", "num_valid": "shots", "missing": "shots"}


class DwellBlocks(StationDevice):
    """Rows of the file that hold the last dwell, and its dropped shots: the shot keys of an event.

    A separate device, since bluesky does not allow the device that collects a stream to be read into an event too.
    """

    first_block = Cpt(PolledReadback, "FirstBlock", units="blocks", kind="normal")
    num_blocks = Cpt(PolledReadback, "NumBlocks", units="blocks", kind="normal")
    dropped = Cpt(PolledReadback, "Dropped", units="shots", kind="normal")

    def __init__(self, prefix: str, **kwargs: object) -> None:
        super().__init__(prefix, **kwargs)
        self.first_block.name, self.num_blocks.name = "first_block", "num_blocks"
        self.dropped.name = "shots_dropped"

    def read(self) -> OrderedDict[str, dict[str, Any]]:
        """Those of the three that are not omitted, by one bulk get."""
        return OrderedDict(fetch([getattr(self, attribute) for attribute in self.read_attrs]))


class Digitiser(StationDevice):
    """Digitiser of pulse heights; prefix for example ``7idd:DIG1:``.

    It digitises the dwells of the photon counter, whose gate output is its trigger. While it is staged a file is
    open: one per run, in `folder`. Its stream has one row per block; `rows` holds those of the last dwell.
    """

    rows = Cpt(DwellBlocks, "", kind="normal")
    shots_per_block = Cpt(Setting, "ShotsPerBlock", put_complete=True, auto_monitor=True, units="shots", kind="config")
    num_phases = Cpt(Readback, "NumPhases_RBV", auto_monitor=True, kind="config")
    height_scale = Cpt(Readback, "HeightScale_RBV", auto_monitor=True, units="mV", kind="config")
    acquire = Cpt(Setting, "Acquire", put_complete=True, kind="omitted")
    capture = Cpt(Setting, "Capture", put_complete=True, kind="omitted")
    file_path = Cpt(LongText, "FilePath", kind="omitted")
    file_name = Cpt(LongText, "FileName", kind="omitted")
    full_file_name = Cpt(EpicsSignalRO, "FullFileName_RBV", string=True, auto_monitor=False, kind="omitted")
    write_message = Cpt(EpicsSignalRO, "WriteMessage", string=True, auto_monitor=False, kind="omitted")
    folder = Cpt(SoftSignal, value="", kind="omitted")
    _under_way: Status | ThreadlessStatus | None = None
    """Status of the last dwell."""

    def __init__(self, prefix: str, **kwargs: object) -> None:
        super().__init__(prefix, **kwargs)
        self._resources: dict[str, str] = {}
        self._rows_reported = 0

    def stage(self) -> list[object]:
        """Open a new file.

        Raises
        ------
        ValueError
            Without a folder.
        """
        if not self.folder.get():
            raise ValueError(f"{self.name} has no folder for its files: set {self.name}.folder")
        self._resources, self._rows_reported = {}, 0
        self.file_path.set(self.folder.get()).wait(END_TIMEOUT)
        self.file_name.set(f"{uuid4()}.h5").wait(END_TIMEOUT)
        self.capture.set(BUSY).wait(END_TIMEOUT)
        return super().stage()

    def unstage(self) -> list[object]:
        """Abort a pending dwell and close the file; the digitiser is unstaged in any case."""
        unstaged = list(super().unstage())
        self.pause()
        try:
            self.capture.set(DONE).wait(END_TIMEOUT)
        except (*FAILED, *NOT_SENT) as error:
            self.log.error("%s may not have ended its file, %s failed: %s", self.name, self.capture.pvname, error)
        return unstaged

    def trigger(self) -> Status | ThreadlessStatus:
        """Arm for the next dwell of the counter; done when all its blocks are written."""
        self._under_way = self.acquire.set(BUSY)
        return self._under_way

    def pause(self) -> None:
        """Abort a pending dwell."""
        abort_count(self, self.acquire, self._under_way, END_TIMEOUT)

    def describe_collect(self) -> dict[str, dict[str, Any]]:
        """Keys of the stream of blocks."""
        length = int(self.shots_per_block.get())
        keys: dict[str, dict[str, Any]] = {}
        for name, kind in DATASETS.items():
            shape = [length] if name in ROWS else []
            dtype = "array" if name in ROWS else "integer"
            key = {"source": self.file_path.pvname, "external": "STREAM:", "dtype": dtype, "dtype_numpy": kind}
            keys[f"{self.name}_{name}"] = {**key, "shape": shape, **({"units": UNITS[name]} if name in UNITS else {})}
        return keys

    def get_index(self) -> int:
        """Number of rows of the file so far."""
        return int(self.rows.first_block.get()) + int(self.rows.num_blocks.get())

    def collect_asset_docs(self, index: int | None = None) -> Iterator[StreamAsset]:
        """Document the datasets of the file once, and the rows that are new since the last call."""
        rows = self.get_index() if index is None else index
        if rows <= self._rows_reported:
            return
        for name in DATASETS:
            if name not in self._resources:
                self._resources[name] = str(uuid4())
                yield ("stream_resource", self._resource(name))
        for name in DATASETS:
            yield ("stream_datum", self._datum(name, rows))
        self._rows_reported = rows

    def _datum(self, name: str, rows: int) -> Any:
        """New rows; the RunEngine fills in descriptor and sequence numbers."""
        return {
            "stream_resource": self._resources[name],
            "uid": f"{self._resources[name]}/{self._rows_reported}",
            "descriptor": "",
            "indices": {"start": self._rows_reported, "stop": rows},
            "seq_nums": {"start": 0, "stop": 0},
        }

    def _resource(self, name: str) -> Any:
        length = int(self.shots_per_block.get())
        path = PurePosixPath(self.full_file_name.get())
        chunk = [1, length] if name in ROWS else [1024]
        return {
            "uid": self._resources[name],
            "data_key": f"{self.name}_{name}",
            "mimetype": "application/x-hdf5",
            "uri": f"file://localhost{quote(str(path))}",
            "parameters": {"dataset": f"/shots/{name}", "chunk_shape": chunk, "swmr": True},
            "run_start": "",
        }
