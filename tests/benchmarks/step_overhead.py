"""What a step of a scan costs beyond its dwell and its motion, on one simulated beamline, in turns.

Run it with ``python -m tests.benchmarks.step_overhead [--rounds N]``:

- ``RunEngine``: `bp.scan` of an axis and a detector that are nothing but Python: how fast the machine is for all this;
- ``channel access``: the bare floor, without any device class: counters started with put-completion, then all records
  of their last count read by gets that are sent together;
- ``  with a move``: before each, an energy put, waited for by the monitors of the sequencer and its readback, and the
  laser shutter opened or shut, waited for by the monitor of its status;
- ``bp.scan``: bluesky's own step scan of a soft axis with the same detectors, nothing subscribed;
- ``energy_scan``: a scan of the session, steps without motion: shutter told, checks, quality, checkpoint, journal and
  live reduction;
- ``  and a move``: its steps to the next energy, at which the laser shutter opens too.

A step goes from one event to the next. Its dwell is taken off, and what the simulated instruments need for the motion
itself: the way of the monochromator at its speed, its settling, the travel of the shutter. The simulator's clock runs
200 times faster than life, so a dwell of 4 s is 20 ms of wall time. Simulator and session share the processors here.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event
from typing import Any

import bluesky.plans as bp
import numpy as np
from bluesky import RunEngine

SPEEDUP, DWELL, POINTS = 200.0, 4.0, 25
WALL = DWELL / SPEEDUP
SEGMENTS = 4
COUNTERS = ("fpga", "i0", "boxcar")


def floor(session: Any) -> list[float]:
    """Seconds beyond the dwell of counts by Channel Access alone."""
    from epics import ca

    from devices.base.signals import PolledReadback

    devices = [getattr(session.beamline, name) for name in COUNTERS]
    starts = [device.go._write_pv for device in devices]
    reads = [getattr(one, name) for one in devices for name in one.read_attrs]
    pvs = [signal._read_pv for signal in reads if isinstance(signal, PolledReadback)]
    seconds = []
    for _ in range(POINTS * SEGMENTS // 2):
        began = time.perf_counter()
        for pv in starts:
            pv.put(1, use_complete=True)
        while not all(pv.put_complete for pv in starts):
            ca.poll(1e-4)
        for pv in pvs:
            ca.get_with_metadata(pv.chid, wait=False)
        ca.flush_io()
        for pv in pvs:
            ca.get_complete_with_metadata(pv.chid, timeout=5)
        seconds.append(time.perf_counter() - began - WALL)
    return seconds


def floor_of_moves(session: Any) -> list[float]:
    """Seconds beyond the motion of bare puts to monochromator and shutter, each until its monitors have arrived."""
    from epics import ca

    mono, shutter = session.beamline.mono, session.beamline.laser.shutter
    arrived = {signal: Event() for signal in (mono.moving, shutter.status)}
    changes: list[int] = []

    def moving(*, value: int, **_: Any) -> None:
        changes.append(value)
        if changes[-2:] == [1, 0]:
            arrived[mono.moving].set()

    watched = [(mono.moving, moving), (shutter.status, lambda **_: arrived[shutter.status].set())]
    numbers = [signal._read_pv.add_callback(change) for signal, change in watched]
    grid, seconds = np.linspace(13.46, 13.48, POINTS), []
    mono.set(float(grid[0])).wait(10)
    for number, energy in enumerate(grid[1:]):
        for each in arrived.values():
            each.clear()
        began = time.perf_counter()
        mono.setpoint._write_pv.put(float(energy))
        ca.flush_io()
        assert arrived[mono.moving].wait(10)
        shutter.command._write_pv.put(1 - number % 2)
        ca.flush_io()
        assert arrived[shutter.status].wait(10)
        seconds.append(time.perf_counter() - began - motion_of(session, grid) / SPEEDUP)
    for (signal, _), index in zip(watched, numbers, strict=True):
        signal._read_pv.remove_callback(index)
    return seconds


def motion_of(session: Any, grid: Any) -> float:
    """Beamline seconds that a step to the next energy takes by itself."""
    times = session.instruments.times
    return float((grid[1] - grid[0]) / times.energy_speed + times.energy_settle + times.laser_shutter)


def steps(engine: RunEngine, run: Callable[[], Any]) -> list[tuple[int, float]]:
    """Number in its point of each event of a run, and seconds since the event before."""
    stamps: list[float] = []
    streams: dict[str, str] = {}

    def note(name: str, doc: Mapping[str, Any]) -> None:
        if name == "descriptor":
            streams[doc["uid"]] = doc["name"]
        elif name == "event" and streams[doc["descriptor"]] == "primary":
            stamps.append(time.perf_counter())

    token = engine.subscribe(note)
    run()
    engine.unsubscribe(token)
    return [(number % SEGMENTS, float(step)) for number, step in enumerate(np.diff(stamps), start=1)]


def engine_alone() -> list[float]:
    """Seconds a step of bluesky takes with an axis and a detector of ophyd's own simulation."""
    from ophyd.sim import SynAxis, SynSignal

    engine, axis = RunEngine({}, context_managers=[]), SynAxis(name="axis")
    detector = SynSignal(name="detector", func=lambda: 1.0)
    return [step for _, step in steps(engine, lambda: engine(bp.scan([detector], axis, 0, 1, POINTS * SEGMENTS // 2)))]


def stock_scan(session: Any) -> list[float]:
    """Seconds beyond the dwell of `bp.scan` with all detectors of the session's scans."""
    from ophyd import Signal

    engine, axis = RunEngine({}, context_managers=[]), Signal(name="axis", value=0.0)
    for name in COUNTERS:
        getattr(session.beamline, name).preset_time.set(DWELL).wait(5)
    instruments = session.instruments
    detectors = [*instruments.counters, instruments.energy, instruments.delay, *instruments.readables]
    taken = steps(engine, lambda: engine(bp.scan(detectors, axis, 0, 1, POINTS * SEGMENTS // 2)))
    return [step - WALL for _, step in taken]


def session_scan(session: Any) -> dict[str, list[float]]:
    """Seconds beyond dwell and motion of the session's scan, steps without motion and steps to the next energy."""
    grid = np.linspace(13.46, 13.48, POINTS)
    options = {"dwell": DWELL, "pattern": (1, 1, 0, 0), "settings": {"pre_edge": [13.46, 13.462]}}
    taken = steps(session.RE, lambda: session.RE(session.energy_scan(energies=grid, **options)))
    motion = motion_of(session, grid) - session.instruments.times.laser_shutter  # it moves beside the energy
    return {
        "energy_scan": [step - WALL for number, step in taken if number in (1, 3)],
        "  and a move": [step - WALL - motion / SPEEDUP for number, step in taken if number == 0],
    }


def measure(folder: Path, rounds: int) -> None:
    """Print them."""
    from beamline.config.models import load
    from beamline.session.session import Session, start

    data = {"root": str(folder), "min_free_gb": 0.01}
    config = load("simulated", clock_rate=SPEEDUP, data=data, display={"live_figure": "off"})
    found: dict[str, list[float]] = {}
    with start(config, fill_catalogue=False, notify=lambda _: None) as session:
        assert isinstance(session, Session)
        session_scan(session)
        for _ in range(rounds):
            ways = {"RunEngine": engine_alone(), "channel access": floor(session)}
            ways["  with a move"] = [
                one + two for one, two in zip(ways["channel access"], floor_of_moves(session), strict=False)
            ]
            ways |= {"bp.scan": stock_scan(session), **session_scan(session)}
            for name, seconds in ways.items():
                found.setdefault(name, []).extend(1e3 * np.array(seconds))
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}; dwell {1e3 * WALL:.0f} ms of wall time")
    print("A step from event to event, less the dwell and the motion's own time:")
    print(f"{'':>18} {'median / ms':>12} {'90 % / ms':>10} {'steps':>6}")
    for name, values in found.items():
        print(f"{name:<18} {np.median(values):>12.1f} {np.percentile(values, 90):>10.1f} {len(values):>6}")
    ratio = np.median(found["  and a move"]) / np.median(found["  with a move"])
    print(f"a step of energy_scan with a move over the bare puts and monitors of that step: {ratio:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    from beamline.session.simulators import simulated_beamline

    with simulated_beamline("demo", SPEEDUP) as environment, tempfile.TemporaryDirectory() as folder:
        os.environ.update(environment)
        measure(Path(folder), rounds)


if __name__ == "__main__":
    main()
