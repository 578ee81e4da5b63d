"""The verdict on a stored pass, from its dwells and those of the pass before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from beamline.records.runs.run import Run
from beamline.records.runs.store import RunStore
from plans.compilation.quality import GOOD
from reduction.diagnostics.health import Health, HealthReason, PassWindow, Place, health, mean_rates
from reduction.documents.detectors import COUNTER, detectors_of, of_kind
from reduction.documents.patterns import pattern_of
from reduction.documents.raw import IMPORTED, PRIMARY, is_pumped
from reduction.errors import DocumentError

OLDEST_S = 24 * 3600.0
"""Age of a finding from which on it is a reason to look, s."""


def health_of(store: RunStore, runs: Sequence[Run], run: Run) -> Health | None:
    """The verdict on a pass; None for reduced and imported runs, and those without a photon counter."""
    window = _window(store, run, {})
    if window is None:
        return None
    before = _pass_before(runs, run)
    of_before = _window(store, before, {}) if before is not None else None
    if of_before is not None:
        window = _window(store, run, mean_rates(of_before)) or window
    return health(window, _old_findings(runs, run))


def _old_findings(runs: Sequence[Run], run: Run) -> list[HealthReason]:
    """Findings in use that were made long before the pass."""
    made = {each.uid: each.time for each in runs}
    findings = run.start.get("findings")
    in_use = findings.items() if isinstance(findings, Mapping) else ()
    old = [str(name) for name, uid in in_use if run.time - made.get(str(uid), run.time) > OLDEST_S]
    return [HealthReason("look", f"found more than {OLDEST_S / 3600:g} h before: {', '.join(old)}")] if old else []


def _pass_before(runs: Sequence[Run], run: Run) -> Run | None:
    """The pass before of the same scan set."""
    index = run.start.get("scan_index")
    same = [each for each in runs if each.raw_uid is None and each.scan_set and each.scan_set == run.scan_set]
    earlier = [each for each in same if isinstance(index, int) and each.start.get("scan_index", index) < index]
    return earlier[-1] if earlier else None


def _window(store: RunStore, run: Run, before: Mapping[Place, float]) -> PassWindow | None:
    if run.raw_uid is not None or IMPORTED in run.start:
        return None
    rows: dict[int, Mapping[str, Any]] = {}
    primary: Mapping[str, Any] | None = None
    for name, doc in store.documents(run.uid):
        if name == "descriptor" and doc["name"] == PRIMARY:
            primary = doc
        elif name == "event" and primary is not None and doc["descriptor"] == primary["uid"]:
            rows[doc["seq_num"]] = doc["data"]  # a dwell retaken after a pause counts once
    counters = of_kind(detectors_of(run.start), COUNTER)
    if primary is None or not rows or not counters:
        return None
    hits, gates = (counters[0].key(each) for each in ("hits", "gates"))
    data = [each for _, each in sorted(rows.items()) if {hits, gates, "i0", "point_index"} <= set(each)]
    if not data:
        return None
    return PassWindow(
        point=np.array([int(each["point_index"]) for each in data]),
        laser_on=np.array([bool(each.get("laser_on", 0)) for each in data]),
        good=np.array([each.get("quality", GOOD) == GOOD for each in data]),
        i0=np.array([_flux(each) for each in data]),
        hits=np.array([each[hits] for each in data], dtype=np.int64),
        gates=np.array([each[gates] for each in data], dtype=np.int64),
        slot=_slots(primary, run.start, data[0], len(data[0][hits])),
        after_pump=isinstance(delay := run.start.get("pump_delay"), int | float) and delay > 0,
        before=before,
    )


def _flux(data: Mapping[str, Any]) -> float:
    """I0 counts of a dwell, dark subtracted, at unit gain of the amplifier."""
    dark = float(data.get("i0_dark", 0.0)) * float(data.get("i0_time", 0.0))
    gain = float(data.get("i0_gain", 1.0))
    return (float(data["i0"]) - dark) / gain if gain > 0 else float("nan")


def _slots(descriptor: Mapping[str, Any], start: Mapping[str, Any], data: Mapping[str, Any], phases: int) -> np.ndarray:
    try:
        divider = pattern_of(descriptor).divider if is_pumped(start) else 1
    except DocumentError:
        divider = 1
    return (np.arange(phases) - int(data.get("laser_phase", 0))) % divider
