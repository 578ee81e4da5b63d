"""Somebody at another panel, as a process of its own: puts to records while dwells are counted, and puts them back.

``python -m tests.helpers.panel PREFIX EVERY HOLD`` takes a list of puts as JSON from its standard input, each a list of
records and values; a value that is a text ("+5") is added to what is there. In every so many'th dwell the first of them
is put, and after HOLD seconds of wall time what was there before is put back: or, of a command, the second is put.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

ROOT = Path(__file__).parents[2]
AFTER_BEGIN = 0.02
"""Seconds of wall time after the begin of a dwell."""
TIMEOUT = 10.0
BUSY = "7idd:FPGA1:Acquire"
COMMANDS = ("Acquire", "CNT")
"""Records that go back by themselves."""

Puts = list[tuple[str, Any]]

PUTS: list[tuple[str, Puts]] = [
    ("mono_energy", [("7ida:BraggEAO", "+0.008")]),
    ("mono_energy", [("7ida:BraggThetaAO", "-0.01")]),
    ("laser_delay", [("7idd:DG1:ADelayAO", "+10.3e-9")]),
    ("laser_delay", [("7idd:DG1:ADelayAO", "-19.7e-9")]),
    ("laser_delay", [("7idd:digDelay1:delay", "+50")]),
    ("laser_fluence", [("7idd:m1.VAL", 10.0)]),
    ("fpga_gate_delay", [("7idd:FPGA1:GateDly-1_DLY", "+20")]),
    ("fpga_gate_width", [("7idd:FPGA1:GateDly-1_WIDTH", 2)]),
    ("fpga_gate_clock", [("7idd:FPGA1:GateDly-1_CLOCK", 1)]),
    ("fpga_divide_by", [("7idd:FPGA1:DivByN-1_N", 4)]),
    ("fpga_preset_time", [("7idd:FPGA1:PresetTime", "+1")]),
    ("i0_preset_time", [("7idd:scaler1.TP", "+1")]),
    ("boxcar_preset_time", [("7idd:UHF:PresetTime", "+1")]),
    ("apd_threshold", [("7idd:APD1:Threshold", "+100")]),
    ("apd_bias", [("7idd:APD1:HV", "-20")]),
    ("i0_gain", [("7idd:I0:Gain", 1e7)]),
    ("i0_dark", [("7idd:I0:Dark", "+500")]),
    ("boxcar_box1_window_start", [("7idd:UHF:BOX1:WindowStart", "+10")]),
    ("boxcar_box1_window_size", [("7idd:UHF:BOX1:WindowSize", "+1e-9")]),
    ("boxcar_box1_periods", [("7idd:UHF:BOX1:Periods", "+1")]),
    ("boxcar_box1_baseline_enable", [("7idd:UHF:BOX1:BaselineEnable", 0)]),
    ("boxcar_box2_baseline_start", [("7idd:UHF:BOX2:BaselineStart", "+10")]),
    ("boxcar_box2_window_start", [("7idd:UHF:BOX2:WindowStart", "+10")]),
    ("timing_laser_phase", [("7idd:Timing:LaserPhase", "+1")]),
    ("stage_across", [("7idd:m2.VAL", "+5")]),
    ("stage_along", [("7idd:m3.VAL", "-5")]),
    ("jet_setpoint", [("7idd:Jet:Flow", "-50")]),
    ("laser_locked", [("Fault:LaserUnlocked", 1)]),
    ("xray_shutter", [("7ida:rShtrA:Close", 1), ("7ida:rShtrA:Open", 1)]),
    ("fpga_elapsed", [("7idd:FPGA1:Acquire", 0)]),
    ("i0_time", [("7idd:scaler1.CNT", 0)]),
]
"""One of every kind: the data key that names it in the quality of a dwell, and the puts."""


@contextmanager
def panel(prefix: str, puts: list[Puts], every: int, hold: float) -> Iterator[Popen[str]]:
    """That process; it prints a line for each put, and ``done`` at the end."""
    command = [sys.executable, "-m", "tests.helpers.panel", prefix, str(every), str(hold)]
    process = Popen(command, cwd=ROOT, stdin=PIPE, stdout=PIPE, text=True)
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(puts) + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def _put_and_back(puts: Puts, pvs: dict[str, Any], watched: Any, hold: float) -> bool:
    """Put, and put back after `hold` seconds; whether a dwell was counted then (a command ends it)."""
    (name, value), back = puts[0], puts[1:]
    is_command, was = name.endswith(COMMANDS), pvs[name].get(use_monitor=False)
    counted = not is_command or watched.get(use_monitor=False) == 1
    pvs[name].put(was + float(value) if isinstance(value, str) else value, wait=False)
    counted = counted and (is_command or watched.get(use_monitor=False) == 1)
    time.sleep(hold)
    for other, last in back or ([] if is_command else [(name, was)]):
        pvs[other].put(last, wait=False)
    return counted


def main(prefix: str, every: int, hold: float) -> None:
    """Play the puts that come on standard input."""
    import epicscorelibs.path.pyepics  # noqa: F401 - the Channel Access library that ophyd takes

    import epics  # isort: skip

    puts: list[Puts] = json.loads(sys.stdin.readline())
    names = {name for each in puts for name, _ in each}
    pvs = {name: epics.PV(prefix + name, auto_monitor=False) for name in names}
    for name, pv in pvs.items():
        assert pv.wait_for_connection(TIMEOUT), name
    counting, begun = threading.Event(), [0]

    def busy(value: int = 0, **_: Any) -> None:
        begun[0] += int(value == 1)
        if value == 1 and begun[0] % every == 0:
            counting.set()

    watched = epics.PV(prefix + BUSY, callback=busy, auto_monitor=True)
    assert watched.wait_for_connection(TIMEOUT)
    print("ready", flush=True)
    left = list(puts)
    while left:
        if not counting.wait(TIMEOUT):
            print("nobody counts any more", flush=True)
            break
        counting.clear()
        time.sleep(AFTER_BEGIN)
        # On a busy machine a put may come after the dwell's end: it is made again in another one.
        if _put_and_back(left[0], pvs, watched, hold):
            print("put", left[0][0][0], flush=True)
            del left[0]
        epics.ca.flush_io()
    else:
        print("done", flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
