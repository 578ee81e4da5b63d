"""A background given in the settings of a scan reaches the live numbers."""

from __future__ import annotations

import numpy as np
import pytest

from reduction.live.reducer import LiveReducer

PHASES, GATES, MU = 120, 10**9, 0.1


def documents(settings):
    grid = [13.45, 13.46]
    start = {"uid": "raw", "scan_set": "set", "scan_index": 0, "grid": grid, "pattern": [0, 1], "edge": "Br_K"}
    yield "start", start | {"pump_delay": 100.0, "settings": settings}
    keys = ("point_index", "segment", "attempt", "laser_on", "quality", "laser_phase")
    scalars = {key: {"shape": []} for key in (*keys, "i0", "i0_time", "i0_gain", "i0_dark")}
    timing = {"timing_num_bunches": 24, "timing_laser_divider": 5, "timing_bunch_rate": 1.0}
    descriptor = {"uid": "d", "run_start": "raw", "name": "primary", "configuration": {"timing": {"data": timing}}}
    yield (
        "descriptor",
        descriptor | {"data_keys": scalars | {key: {"shape": [PHASES]} for key in ("fpga_counts", "fpga_gates")}},
    )
    light = np.where(np.arange(PHASES) % 5 == 0, 0.02, 0.0)  # of the laser, in slot 0
    for laser in (0, 1):
        hits = np.rint(-np.expm1(-(MU + laser * light)) * GATES).astype(np.int64)
        data = {
            "point_index": 0,
            "segment": laser,
            "attempt": 0,
            "laser_on": laser,
            "quality": "good",
            "laser_phase": 0,
        }
        data |= {"i0": 1.0, "i0_time": 1.0, "i0_gain": 1.0, "i0_dark": 0.0}
        counts = {"fpga_counts": hits, "fpga_gates": np.full(PHASES, GATES)}
        yield "event", {"descriptor": "d", "seq_num": 1 + laser, "data": data | counts}


@pytest.mark.parametrize("known", [True, False])
def test_laser_only_light_is_subtracted_where_it_is_known(known):
    settings = {"pre_edge": [13.45, 13.452], "integral": [13.452, 13.46]}
    if known:
        settings["background_on"] = np.where(np.arange(PHASES) % 5 == 0, 0.02, 0.0).tolist()
    seen = []
    reducer = LiveReducer(lambda name, doc: seen.append(doc["data"]) if name == "event" else None)
    for name, doc in documents(settings):
        reducer(name, doc)
    left = 0.0 if known else 0.02
    np.testing.assert_allclose(seen[-1]["on"], MU + left * np.array([1, 0, 0, 0, 0]), rtol=1e-6)
