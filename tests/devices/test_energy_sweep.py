"""The preparation of a sweep ends when the sweep is stopped, and the next one is as any other."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from beamline.station.build import Beamline
from devices.instruments.sweep import BUSY

TRAJECTORY = {"energies": [13.45, 13.46], "times": [2.0], "frame": 0.1, "frames": 50}
OTHER = {**TRAJECTORY, "energies": [13.47, 13.48]}
WAIT = 20.0


def test_a_stop_ends_a_preparation(sim: Beamline, monkeypatch: pytest.MonkeyPatch) -> None:
    """After it nothing more is written: neither the times nor Build."""
    sweep, waiting, go_on = sim.sweep, threading.Event(), threading.Event()
    sweep.prepare(OTHER).wait(WAIT)
    put, written = type(sweep.positions).set, []

    def slow(signal: object, value: object) -> object:
        written.append(signal)
        if signal is sweep.positions:
            waiting.set()
            assert go_on.wait(WAIT)
        return put(signal, value)

    monkeypatch.setattr(type(sweep.positions), "set", slow)
    status = sweep.prepare(TRAJECTORY)
    (thread,) = [each for each in threading.enumerate() if each.name == f"prepare {sweep.name}"]
    assert waiting.wait(WAIT)
    sweep.stop()
    with pytest.raises(RuntimeError, match="stopped before the trajectory was built"):
        status.wait(WAIT)
    go_on.set()
    thread.join(WAIT)
    monkeypatch.undo()
    assert written == [sweep.positions]
    assert sweep.execute.get(use_monitor=False) != BUSY

    sweep.prepare(TRAJECTORY).wait(WAIT)
    assert np.asarray(sweep.positions.get(use_monitor=False))[:2] == pytest.approx(TRAJECTORY["energies"])
    assert sweep.build_status.get(use_monitor=False) == 1
    sweep.stop()  # of what is prepared and at rest
    sweep.prepare(OTHER).wait(WAIT)
