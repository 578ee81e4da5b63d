"""The digitiser in a session: records the shots of every scan, reduces them live, and reports disagreement."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from bluesky import RunEngine

from beamline.config.models import Configuration
from beamline.records.catalogue.files import SHOTS
from beamline.records.shot_files.live import THRESHOLD, Beside, LiveShots, ShotUpdate
from beamline.session.guard import Guard
from beamline.session.shot_recording.plan import with_shots
from beamline.station.beamline import Beamline
from reduction.live.reducer import LiveReducer


class RecordingSession(Protocol):
    """The part of a session used here."""

    RE: RunEngine
    config: Configuration
    beamline: Beamline
    reducer: LiveReducer


class ShotMonitor:
    """Monitors the reduced dwells of a session.

    Attributes
    ----------
    last : ShotUpdate or None
    dwells, disagreeing : int
        Number of reduced dwells, and of those whose hits or gates differ from the photon counter.
    guard : Guard
        Isolates the reduction from the RunEngine.
    """

    def __init__(self, threshold: int, notify: Callable[[str], None], beside: Beside) -> None:
        self.last: ShotUpdate | None = None
        self.dwells, self.disagreeing, self._notify = 0, 0, notify
        self.live = LiveShots(threshold, self.take, notify, beside)
        self.guard = Guard(self.live, "reduction of shots", notify)

    def take(self, update: ShotUpdate) -> None:
        """Record a reduced dwell, and report if it differs from the photon counter."""
        self.last = update
        self.dwells += 1
        if update.agrees():
            return
        self.disagreeing += 1
        ours, theirs = update.dwell, update.counted
        self._notify(
            f"point {ours.point}, segment {ours.segment}: the digitiser has {ours.hits.sum()} hits in"
            f" {ours.gates.sum()} shots, the counter {theirs.hits.sum()} hits in {theirs.gates.sum()} gates"
        )


def record_shots(session: RecordingSession, notify: Callable[[str], None]) -> ShotMonitor | None:
    """Add the digitiser to every scan of a session; None without a digitiser, or if shots are not recorded.

    The session must dispatch documents to the `guard` of the returned monitor.
    """
    digitiser = session.beamline.find("digitiser")
    if digitiser is None or not session.config.shots.record:
        return None
    digitiser.folder.put(str((session.config.data.root / SHOTS).absolute()))
    counter = session.beamline.all("counters")[0]
    session.RE.preprocessors.append(partial(with_shots, digitiser=digitiser, counter=counter))
    session.RE.md[THRESHOLD] = session.config.shots.threshold
    desk = ShotMonitor(session.config.shots.threshold, notify, session.reducer.beside)
    desk.live.warm_up()
    return desk
