"""The table of faults of a campaign. Each is caused during a scan, and ended before the next."""

from __future__ import annotations

from tests.chaos.fault import PANEL, SIMULATED, Fault
from tests.chaos.file_faults import clock_step, damaged_file, file_moved_away, foreign_file, full_disk
from tests.chaos.process_faults import (
    ask_session_to_end,
    ctrl_c,
    freeze_catalogue,
    freeze_figure,
    freeze_ioc,
    freeze_session,
    freeze_writer,
    kill_catalogue,
    kill_figure,
    kill_ioc,
    kill_session,
    kill_writer,
)

PROCESSES = [
    Fault("session killed", kill_session, session="killed"),
    Fault("session asked to end", ask_session_to_end, session="ended"),
    Fault("session frozen", freeze_session),
    Fault("Ctrl-C", ctrl_c),
    Fault("simulator killed", kill_ioc, session="reconnects"),
    Fault("simulator frozen", freeze_ioc),
    Fault("catalogue killed", kill_catalogue, may_fail=False),
    Fault("catalogue frozen", freeze_catalogue, may_fail=False),
    Fault("writer killed", kill_writer, may_fail=False),
    Fault("writer frozen", freeze_writer, may_fail=False),
    Fault("figure killed", kill_figure, may_fail=False),
    Fault("figure frozen", freeze_figure, may_fail=False),
]
FILES = [
    Fault("disk full", full_disk),
    Fault("run files taken away", file_moved_away),
    Fault("an earlier run is damaged", damaged_file, may_fail=False),
    Fault("foreign file", foreign_file, may_fail=False),
    Fault("clock steps", clock_step),
]
FAULTS = [*PANEL, *SIMULATED, *PROCESSES, *FILES]
SHORT = [
    next(fault for fault in FAULTS if name in fault.name)
    for name in (
        "fpga_gate_delay", "i0_gain", "mono_energy", "laser_locked", "beam dump", "jet stopped", "I0 is NaN",
        "the scaler is silent", "session frozen", "simulator frozen", "disk full", "an earlier run is damaged",
        "foreign file", "clock steps", "Ctrl-C",
    )
]  # fmt: skip
"""Quick ones of each table, which need neither another session nor a catalogue writer."""
