"""Results of a background run for the scans that reference it: photons per pulse without X-rays, dark rate of I0."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from beamline.records.journal import JournalError, damage, read, run_file
from beamline.records.runs.store import JournalRuns
from plans.compilation.quality import GOOD
from reduction.counting.pileup import photons_per_pulse


class BackgroundError(ValueError):
    """A background run cannot be used; the message has the reason."""


def background_settings(root: Path, uid: str) -> dict[str, Any]:
    """Settings for the reduction from a background run.

    Good dwells are summed, separately for laser off and on; mu = -ln(1 - k/n) of each phase.

    Parameters
    ----------
    root : Path
        Data root of the journal.
    uid : str
        Uid of the run, or its ``scan_set``.

    Returns
    -------
    dict
        ``background_off``, ``background_on``: photons per pulse, one value per phase; ``i0_dark``: counts per second.

    Raises
    ------
    BackgroundError
        If there is no such run, it is not a background run, or lacks good dwells with the laser on or off.
    """
    documents = _documents(root, uid)
    start = documents[0][1]
    if start.get("plan_name") != "background_run":
        raise BackgroundError(f"background {uid} is a run of {start.get('plan_name')}, not of background_run")
    primary = {doc["uid"] for name, doc in documents if name == "descriptor" and doc["name"] == "primary"}
    events = [doc["data"] for name, doc in documents if name == "event" and doc["descriptor"] in primary]
    good = [data for data in events if data["quality"] == GOOD]
    found: dict[str, Any] = {}
    for laser_on, key in enumerate(("background_off", "background_on")):
        dwells = [data for data in good if data["laser_on"] == laser_on]
        if not dwells:
            raise BackgroundError(f"background {uid} has no good dwell with the laser {('off', 'on')[laser_on]}")
        found[key] = _photons(dwells).tolist()
    seconds = sum(float(data["i0_time"]) for data in good)
    found["i0_dark"] = sum(float(data["i0"]) for data in good) / seconds
    return found


def _photons(dwells: list[dict[str, Any]]) -> np.ndarray:
    """Photons per pulse of each phase; the small-count bias, proportional to the value itself, is subtracted."""
    hits, gates = (
        np.sum([np.asarray(data[key], np.int64) for data in dwells], axis=0) for key in ("fpga_counts", "fpga_gates")
    )
    mu, _ = photons_per_pulse(hits, gates)
    return np.maximum(mu, 0.0)


def _documents(root: Path, uid: str) -> list[tuple[str, dict[str, Any]]]:
    """Documents of a run by its uid or scan set."""
    runs = JournalRuns(root).runs()
    named = [run for run in runs if uid and uid in (run.uid, run.scan_set) and run.raw_uid is None]
    if not named:
        raise BackgroundError(f"background {uid!r} is not in the journal of {root}; give the uid of a background run")
    try:
        path = run_file(root, named[-1].uid)
        if words := damage(path):
            raise BackgroundError(f"background {uid} is {words}; name a whole one, or take one anew")
        return list(read(path))
    except JournalError as error:
        raise BackgroundError(f"background {uid}: {error}") from error
