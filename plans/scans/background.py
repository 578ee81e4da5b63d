"""Background runs: dark counts and laser-only light, counted without X-rays."""

from __future__ import annotations

from typing import Unpack
from uuid import uuid4

from bluesky.utils import MsgGenerator

from plans.compilation.arguments import check_count
from plans.compilation.compiled_scan import CompiledScan, ScanPass
from plans.compilation.options import Options, checked_dwell_settings
from plans.compilation.positions import Position
from plans.execution.run_scan import measure
from plans.protocols import Instruments

MOST_REPEATS = 10_000


def background_run(
    instruments: Instruments, dwell: float = 10.0, repeats: int = 3, **options: Unpack[Options]
) -> MsgGenerator[str]:
    """Count with the X-ray shutter shut, laser on and off: dark counts, laser-only light, dark current of I0.

    Later scans subtract this background if they name the uid of this run: ``background=uid``. The X-ray shutter is shut
    first and reopened afterwards, if it was open.

    Parameters
    ----------
    instruments : Instruments
    dwell : float
        Beamline seconds of each laser-on or laser-off dwell.
    repeats : int
        How often the pattern of dwells is taken.
    **options
        `pattern`, `attempts`, `checks` and `md` of `plans.compilation.options.Options`.

    Returns
    -------
    str
        The ``scan_set`` of the run; later scans may name it instead of the uid.

    Raises
    ------
    ValueError
        Before anything moves, naming the argument that is wrong; also where there is no X-ray shutter.
    plans.execution.failures.InstrumentError
        If an instrument fails during the scan; the laser shutter is then shut.

    Examples
    --------
    Two minutes without X-rays, then a scan with that background subtracted:

    >>> done = RE(background_run(dwell=10, repeats=3))
    >>> RE(energy_scan(edge="Br_K", background=done.run_start_uids[0]))
    """
    compiled = compiled_background_scan(dwell, repeats, **options)
    return (yield from measure(instruments, compiled, options))


def compiled_background_scan(dwell: float = 10.0, repeats: int = 3, **options: Unpack[Options]) -> CompiledScan:
    """Compile `background_run` with these arguments, without any device."""
    repeats = check_count("repeats", repeats, MOST_REPEATS)
    if unknown := sorted(set(options) - {"pattern", "attempts", "checks", "md", "judge", "settings", "supervision"}):
        raise ValueError(f"a background run does not take {', '.join(unknown)}")
    once = checked_dwell_settings(dwell, 1, options)
    settings = checked_dwell_settings(dwell, 1, {**options, "pattern": once.pattern * repeats})
    uid = str(uuid4())
    start = {
        "plan_name": "background_run",
        "scan_axis": "none",
        "scan_set": uid,
        "scan_index": 0,
        "passes": 1,
        "pattern": list(settings.pattern),
        "dwell": settings.dwell,
        "attempts": settings.attempts,
        "num_points": 1,
        "num_events": len(settings.pattern),
        **(options.get("md") or {}),
    }
    return CompiledScan(uid, (ScanPass((Position(0),), settings, start, xray=False),))
