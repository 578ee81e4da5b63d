"""A background given in the settings of a scan reaches the live numbers."""

from __future__ import annotations

import numpy as np
import pytest

from reduction.live.reducer import LiveReducer

PHASES, GATES, MU = 120, 10**9, 0.1


def documents(settings, readings=None, counter="PV:A:Counts", time=0.0):
    grid = [13.45, 13.46]
    start = {
        "uid": "raw",
        "scan_set": "set",
        "scan_index": 0,
        "grid": grid,
        "pattern": [0, 1],
        "edge": "Br_K",
        "time": time,
    }
    yield "start", start | {"pump_delay": 100.0, "settings": settings}
    keys = ("point_index", "segment", "attempt", "laser_on", "quality", "laser_phase")
    scalars = {key: {"shape": []} for key in (*keys, "i0", "i0_time", "i0_gain", "i0_dark")}
    timing = {"timing_num_bunches": 24, "timing_laser_divider": 5, "timing_bunch_rate": 1.0}
    descriptor = {"uid": "d", "run_start": "raw", "name": "primary", "configuration": {"timing": {"data": timing}}}
    yield (
        "descriptor",
        descriptor
        | {
            "data_keys": scalars
            | {key: {"shape": [PHASES], "source": counter} for key in ("fpga_counts", "fpga_gates")}
        },
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
        yield "event", {"descriptor": "d", "seq_num": 1 + laser, "data": data | counts | (readings or {})}


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


CONDITIONS = {
    "background_conditions": [["fpga_gate_delay", 12.0], ["apd_threshold", 40.0]],
    "background_records": [["fpga_counts", "PV:A:Counts"]],
    "background_time": 1e6,
}
SAME = {"fpga_gate_delay": 12.0, "apd_threshold": 40.0}


@pytest.mark.parametrize(
    ("readings", "counter", "hours", "note"),
    [
        (SAME, "PV:A:Counts", 7.9, ""),
        (SAME | {"fpga_gate_delay": 13.0}, "PV:A:Counts", 1, "taken with fpga_gate_delay 12, this scan has 13: take a"),
        (SAME | {"apd_threshold": 35.0}, "PV:A:Counts", 1, "taken with apd_threshold 40, this scan has 35: take a new"),
        (
            SAME,
            "PV:B:Counts",
            1,
            "taken with another detector, PV:A:Counts; this scan has PV:B:Counts: take a new one.",
        ),
        (SAME, "PV:A:Counts", 8.5, "The background is 8.5 h old, and 8.0 h are allowed: take a new one."),
    ],
)
def test_a_background_of_another_gate_threshold_detector_or_day_is_named(readings, counter, hours, note):
    settings = {"pre_edge": [13.45, 13.452], "integral": [13.452, 13.46], "reference": "paper", **CONDITIONS}
    reducer = LiveReducer(lambda name, doc: None)
    for name, doc in documents(settings, readings, counter, 1e6 + 3600 * hours):
        if name == "event":  # at both points
            for point in (0, 1):
                reducer(name, doc | {"data": doc["data"] | {"point_index": point}})
        else:
            reducer(name, doc)
    notes = str(reducer._set.rates(reducer.exclusions).rates.notes)
    assert note in notes if note else "background" not in notes


def reduced_points(settings, gains):
    """Faults of dwells off and on at one point, each with its gain of I0, and the notes of the sum."""
    seen = []
    reducer = LiveReducer(lambda name, doc: seen.append(doc["data"]) if name == "event" else None)
    numbers = iter(gains)
    for name, doc in documents({"pre_edge": [13.45, 13.452], "integral": [13.452, 13.46], **settings}):
        reducer(name, doc | {"data": doc["data"] | {"i0_gain": next(numbers)}} if name == "event" else doc)
    return [data["fault"] for data in seen], " ".join(reducer._set.rates(reducer.exclusions).rates.notes)


def test_a_dark_of_i0_of_another_gain_rejects_the_dwell():
    settings = {"i0_dark": 0.1, "i0_dark_gain": 1e8}
    faults, _ = reduced_points(settings, [1e8, 1e9])
    assert faults == ["", "I0 at gain 1e+09, its dark taken at 1e+08: take a background run at this gain"]
    assert reduced_points(settings, [1e8, 1e8])[0] == ["", ""]


def test_a_gain_that_changes_in_mid_run_is_reported():
    assert "The gain of I0 changed from 1e+08 to 1e+09 within the sum" in reduced_points({}, [1e8, 1e9])[1]
    assert "gain" not in reduced_points({}, [1e8, 1e8])[1]
