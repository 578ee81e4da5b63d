"""Raw runs of delay and fluence scans from the forward model, as the plans write them."""

from __future__ import annotations

from typing import Any

import event_model
import numpy as np

from sim_ioc.physics.photons import sample_counts
from tests.beamline.example_runs import Documents, data_key
from tests.beamline.raw_scans import MODEL, SETTINGS, new_uid, timing
from tests.reduction.axis_scans import DELAYS, FLUENCES, PATTERN, WHITE_LINE, photons

GATES = 400_000
KEYS = {"laser_delay": (DELAYS, 8.8), "laser_fluence": (100.0, FLUENCES)}
SHUTTER = {**SETTINGS, "reference": "shutter"}


def axis_scan(axis: str, seed: int, scan_set: str, index: int, order: list[int], **settings: Any) -> Documents:
    """One pass; points are visited in their own order."""
    rng = np.random.default_rng(seed)
    delays, fluences = KEYS[axis]
    grid = delays if axis == "laser_delay" else fluences
    light = photons(MODEL, delays, fluences)
    fixed = {} if axis == "laser_delay" else {"pump_delay": 100.0}
    began = 1.7e9 + 1000.0 * index
    run = event_model.compose_run(
        time=began,
        metadata={
            "plan_name": axis.removeprefix("laser_") + "_scan", "scan_axis": axis, "edge": "Br_K", "scan_set": scan_set,
            "scan_index": index, "passes": 2, "grid": grid.tolist(), "visit_order": order, "pattern": list(PATTERN),
            "probe_energy": WHITE_LINE, **fixed, "num_points": grid.size, "num_events": grid.size * len(PATTERN),
            "settings": {**SHUTTER, **settings}, "reference": "shutter", "mode": "sim",
        },
    )  # fmt: skip
    documents: Documents = [("start", dict(run.start_doc))]
    stream = None
    for point in order:
        for segment, laser in enumerate(PATTERN):
            data = dwell(rng, light[point, laser], point, segment, laser)
            if stream is None:
                keys = {key: data_key(value) for key, value in data.items()}
                stream = run.compose_descriptor(name="primary", data_keys=keys, configuration=timing())
                documents.append(("descriptor", dict(stream.descriptor_doc)))
            event = stream.compose_event(data=data, timestamps=dict.fromkeys(data, 1.0), time=began, validate=False)
            documents.append(("event", dict(event)))
    documents.append(("stop", dict(run.compose_stop(time=began + 100.0))))
    return documents


def dwell(rng: np.random.Generator, light: np.ndarray, point: int, segment: int, laser: int) -> dict[str, Any]:
    seconds = GATES * MODEL.num_phases / MODEL.bunch_rate_hz
    rate = MODEL.i0_rate() * (1 + 1e-3 * rng.standard_normal())
    return {
        "point_index": point, "segment": segment, "attempt": 0, "laser_on": laser, "quality": "good",
        "laser_phase": int(MODEL.laser_phase), "i0": float(rate * seconds), "i0_time": float(seconds), "i0_gain": 1e8,
        "i0_dark": float(MODEL.scenario.i0.dark_per_s),
        "fpga_counts": sample_counts(rng, light, GATES).astype(np.int32),
        "fpga_gates": np.full(MODEL.num_phases, GATES, np.int32),
    }  # fmt: skip


def two_passes(axis: str, **settings: Any) -> list[Documents]:
    scan_set = new_uid()
    size = (DELAYS if axis == "laser_delay" else FLUENCES).size
    orders = [list(range(size)), np.random.default_rng(1).permutation(size).tolist()]
    return [axis_scan(axis, 10 + index, scan_set, index, order, **settings) for index, order in enumerate(orders)]
