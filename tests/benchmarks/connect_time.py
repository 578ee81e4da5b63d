"""How long a session waits for all its records: ``python -m tests.benchmarks.connect_time``.

Each run is a process of its own, as a session is: the first search for every record, with nothing cached. The time of
the imports is not in it.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

RUNS = 5
WANTED_S = 2.0


def main() -> None:
    from beamline.session.simulators import simulated_beamline

    with simulated_beamline("demo", 10.0) as environment:
        command = [sys.executable, "-m", "tests.benchmarks.connect_time", "--once"]
        lines = [
            subprocess.run(
                command, env={**os.environ, **environment}, capture_output=True, text=True, check=True
            ).stdout
            for _ in range(RUNS)
        ]
    times = sorted(float(line.split()[0]) for line in lines)
    records, devices = lines[0].split()[1:]
    print(f"{records} records of {devices} devices, {RUNS} sessions")
    print(f"connected and compared within {statistics.median(times):.2f} s (median), {times[-1]:.2f} s (longest)")
    print(f"wanted: {WANTED_S:g} s")


def once() -> None:
    """Build and connect everything; prints seconds, records and devices."""
    from beamline.config.models import load
    from beamline.station.build import build
    from beamline.station.connect import connect, epics_signals

    config = load("simulated")
    begun = time.perf_counter()
    devices = build(config).devices()
    connect(devices, 10.0)
    took = time.perf_counter() - begun
    names = {
        name for device in devices.values() for signal in epics_signals(device) for name in signal._connection_states
    }
    print(took, len(names), len(devices))


if __name__ == "__main__":
    once() if "--once" in sys.argv else main()
