"""Sweep of the energy: a trajectory of the monochromator, and frames of the photon counter while it moves.

The trajectory has the records of the EPICS motor support for profile moves (``profileMoveController.template``), with
energies as positions. Each frame holds hits and gates by phase, pairs of gates that follow each other, I0, and the
encoder of the energy at its two ends.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import pairwise
from threading import Thread
from typing import Any

import numpy as np
from ophyd import Component as Cpt
from ophyd import EpicsSignalRO
from ophyd import FormattedComponent as FCpt
from ophyd.status import Status
from ophyd.utils import LimitError

from devices.base.abort import BUSY, FAILED, abandon_count
from devices.base.device import StationDevice
from devices.base.settings import NOT_SENT, Setting
from devices.base.signals import Readback, SoftSignal
from devices.channel_access import FinishedStatus, ThreadlessStatus, attach_initial_context
from devices.instruments.frame_buffer import BY_PHASE, COLUMNS, UNITS, FrameBuffer

PUT_TIMEOUT = 10.0
"""Seconds of wall time for a trajectory to be written and built."""
SUCCESS = 1
"""State of `BuildStatus` and `ExecuteStatus`."""


class ArraySetting(Setting):
    """A settable array of numbers."""

    def set(self, value: Any, **_: Any) -> Status:
        """Put with completion; write access is that of the server, as for numbers."""
        self._check_refusal()
        self.wait_for_connection()
        self._announce(value)
        status = Status(self)
        self._write_pv.put(np.asarray(value, dtype=np.float64), use_complete=True, callback=partial(_finish, status))
        return status

    def check_value(self, value: Any) -> None:
        """Refuse nothing: the record checks a trajectory as a whole when it builds it."""

    def mismatch(self) -> str:
        kind = self._read_pv.type.rpartition("_")[2]
        return "" if kind in ("double", "float") else f"{self.pvname} is of type {kind}, not an array of numbers"


def _finish(status: Status, **_: Any) -> None:
    status.set_finished()


class EnergySweep(StationDevice):
    """A flyer: `prepare` a trajectory, `kickoff`, `complete`, `collect` the frames as events of a stream of their own.

    Parameters
    ----------
    prefix : str
        Records of the trajectory, for example ``7ida:Prof1:``.
    frames : str
        Records of the frames, for example ``7idd:FPGA1:Frames:``.
    """

    buffer = FCpt(FrameBuffer, "{frames}", kind="normal")
    num_points = Cpt(Setting, "NumPoints", put_complete=True, limits=True, kind="omitted")
    times = Cpt(ArraySetting, "Times", put_complete=True, units="s", kind="omitted")
    positions = Cpt(ArraySetting, "M1Positions", put_complete=True, units="keV", kind="omitted")
    build = Cpt(Setting, "Build", put_complete=True, kind="omitted")
    build_status = Cpt(Readback, "BuildStatus", kind="omitted")
    message = Cpt(EpicsSignalRO, "BuildMessage", string=True, kind="omitted")
    execute = Cpt(Setting, "Execute", put_complete=True, kind="omitted")
    execute_status = Cpt(Readback, "ExecuteStatus", kind="omitted")
    abort = Cpt(Setting, "Abort", put_complete=True, kind="omitted")
    max_speed = Cpt(SoftSignal, value=0.02, units="keV/s", kind="config")
    """Highest speed of the energy; a faster trajectory is refused before anything moves."""
    _under_way: tuple[ThreadlessStatus, ThreadlessStatus] | None = None
    """Frames and trajectory of the last sweep."""
    _prepared: ThreadlessStatus | None = None

    def __init__(self, prefix: str, *, frames: str, **kwargs: Any) -> None:
        self.frames = frames
        super().__init__(prefix, **kwargs)

    def check_trajectory(self, trajectory: Mapping[str, Any]) -> None:
        """Refuse a trajectory that is too fast, or frames that the counter does not take, before anything moves.

        Parameters
        ----------
        trajectory : mapping
            As for `prepare`.

        Raises
        ------
        ophyd.utils.LimitError
        """
        legs = zip(pairwise(trajectory["energies"]), trajectory["times"], strict=True)
        fastest = max(abs(last - first) / time for (first, last), time in legs)
        highest = self.max_speed.get()
        if fastest > highest * (1 + 1e-9):
            raise LimitError(
                f"{self.name}: {1e3 * fastest:.4g} eV/s is faster than the {1e3 * highest:g} eV/s of the monochromator;"
                f" raise dwell by a factor of {fastest / highest:.3g}, or take smaller steps there"
            )
        self.buffer.time.check_value(trajectory["frame"])
        frames, room = int(trajectory["frames"]), int(self.buffer.number._read_pv.count)
        if frames > room:
            raise LimitError(
                f"{self.name}: {frames} frames, with those before and after the sweep, are more than the {room} that"
                " the counter holds; take longer frames, a shorter dwell or a smaller grid"
            )

    def prepare(self, trajectory: Mapping[str, Any]) -> ThreadlessStatus:
        """Write and build a trajectory, and set the frames, in a thread: the records reply one after the other.

        Parameters
        ----------
        trajectory : mapping
            ``energies`` (keV, of N points), ``times`` (s, from each point to the next, N - 1 of them), ``frame`` (s),
            ``frames``: at most so many.

        Returns
        -------
        ThreadlessStatus
            Fails if the trajectory cannot be built, with the reason of the record, or if `stop` comes first: then what
            is not yet written stays as it is.
        """
        status = self._prepared = ThreadlessStatus(f"{self.name}: the preparation")
        Thread(target=self._prepare, args=(trajectory, status), name=f"prepare {self.name}", daemon=True).start()
        return status

    def _prepare(self, trajectory: Mapping[str, Any], status: ThreadlessStatus) -> None:
        attach_initial_context()
        try:
            for record, value in self._records_of(trajectory):
                if status.done:  # stopped
                    return
                record.set(value).wait(PUT_TIMEOUT)
            if self.build_status.get(use_monitor=False) != SUCCESS:
                raise RuntimeError(f"{self.name}: the trajectory cannot be built: {self.message.get()}")
        except Exception as error:  # noqa: BLE001 - a caller waits for the status
            status.end(error)
        else:
            status.end()

    def _records_of(self, trajectory: Mapping[str, Any]) -> list[tuple[Setting, Any]]:
        """In the order in which they are written; the last one builds."""
        return [
            (self.num_points, len(trajectory["energies"])),
            (self.positions, np.asarray(trajectory["energies"], float)),
            (self.times, np.asarray(trajectory["times"], float)),
            (self.buffer.time, float(trajectory["frame"])),
            (self.buffer.capacity, int(trajectory["frames"])),
            (self.build, BUSY),
        ]

    def kickoff(self) -> FinishedStatus:
        """Start the frames, then the trajectory; the frames end when it has."""
        frames = self.buffer.acquire.process(BUSY)
        self._under_way = frames, self.execute.process(BUSY)
        self._under_way[1].add_callback(self._end_frames)
        return FinishedStatus()

    def complete(self) -> ThreadlessStatus:
        """Done when the trajectory has ended, and all frames are in the buffer.

        Raises
        ------
        RuntimeError
            Without a kickoff.
        """
        if self._under_way is None:
            raise RuntimeError(f"{self.name} was not kicked off")
        return self._under_way[0]

    def collect(self) -> Iterator[dict[str, Any]]:
        """An event of each frame of the last sweep, in the order in which they came."""
        frames = self.buffer.frames()
        names = {name: f"frame_{name}" for name in frames}
        now = self.buffer.number.timestamp
        stamps = dict.fromkeys(names.values(), now)
        for index in range(len(frames["sweep"])):
            data = {key: _plain(frames[name][index]) for name, key in names.items()}
            yield {"time": now, "data": data, "timestamps": stamps}

    def describe_collect(self) -> OrderedDict[str, dict[str, Any]]:
        """Keys of the frames."""
        keys: OrderedDict[str, dict[str, Any]] = OrderedDict()
        for name, kind in {**COLUMNS, "sweep": "<i4"}.items():
            dtype = "integer" if kind == "<i4" else "number"
            keys[f"frame_{name}"] = self._key(name, dtype, kind, [])
        for name in BY_PHASE:
            keys[f"frame_{name}"] = self._key(name, "array", "<i4", [self.buffer.phases])
        return keys

    def _key(self, name: str, dtype: str, kind: str, shape: list[int]) -> dict[str, Any]:
        units = {"units": UNITS[name]} if name in UNITS else {}
        source = getattr(self.buffer, name).source_name
        return {"source": source, "dtype": dtype, "dtype_numpy": kind, "shape": shape, **units}

    def _end_frames(self, _: ThreadlessStatus) -> None:
        """The trajectory has ended, well or not: the frames end with the present one."""
        abandon_count(self, self.buffer.acquire)

    def stop(self, *, success: bool = False) -> None:
        """Stop axis and frames, and a preparation, if they are under way."""
        if self._prepared is not None:
            self._prepared.end(RuntimeError(f"{self.name}: stopped before the trajectory was built"))
        if self._under_way is None or all(each.done for each in self._under_way):
            return
        try:
            self.abort.put(BUSY, wait=False)
            abandon_count(self, self.buffer.acquire)
            for each in self._under_way:
                each.wait(PUT_TIMEOUT)
        except (*FAILED, *NOT_SENT) as error:
            self.log.error("%s may still move, its records do not reply: %s", self.name, error)

    def pause(self) -> None:
        """Stop: the sweep is repeated after a pause."""
        self.stop()

    def unstage(self) -> list[object]:
        """Stop, and unstage."""
        unstaged = list(super().unstage())
        self.stop()
        return unstaged


def _plain(value: Any) -> Any:
    """A number of an array as one of Python, an array as it is."""
    return value.item() if np.ndim(value) == 0 else value
