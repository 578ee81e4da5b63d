"""Boxcar readings in the events of a scan: reduced beside the counts, compared with them, replayed to the bit."""

from __future__ import annotations

import numpy as np
import pytest

from beamline.records.runs.job import plan_job
from beamline.records.runs.replay import replay
from beamline.records.runs.store import open_runs
from reduction.live.reducer import LiveReducer
from tests.beamline.axis_runs import two_passes
from tests.beamline.raw_scans import MODEL, Acquisition, acquire, scan_set_of
from tests.beamline.test_axis_runs import data_of

VOLTS, OFFSET, NOISE = 0.04, 0.0, 2e-4


def with_boxcar(documents, seed, saturation=np.inf, noise=NOISE):
    """The same pass with a boxcar on slot 0: volts from the photons that were really counted, with noise."""
    rng = np.random.default_rng(seed)
    slot0 = MODEL.slot_of_phase == 0
    for name, doc in documents:
        if name == "descriptor":
            number = {"dtype": "number", "shape": [], "source": "test"}
            doc["data_keys"] |= {key: dict(number) for key in ("boxcar_box1", "boxcar_box1_stddev", "boxcar_trace")}
        elif name == "event":
            data = doc["data"]
            photons = -np.log1p(-data["fpga_counts"] / data["fpga_gates"])[slot0].mean()
            height = VOLTS * photons / (1 + photons / saturation)
            data["boxcar_box1"] = -(OFFSET + height + noise * rng.standard_normal())
            data["boxcar_box1_stddev"] = NOISE
            data["boxcar_trace"] = 0.0
            doc["timestamps"] |= dict.fromkeys(("boxcar_box1", "boxcar_box1_stddev", "boxcar_trace"), 1.0)
    return documents


@pytest.mark.parametrize("axis", ["mono_energy", "laser_delay", "laser_fluence"])
def test_both_chains_of_a_run_agree(tmp_path, axis):
    passes = scan_set_of(2) if axis == "mono_energy" else two_passes(axis)
    passes = [with_boxcar(each, number) for number, each in enumerate(passes)]
    reduced = acquire(tmp_path, passes)
    documents = reduced[passes[1][0][1]["uid"]]
    (box,) = data_of(documents, "boxcar_box1")
    (counted,) = data_of(documents, "spectrum" if axis == "mono_energy" else "trace")
    assert box["pairs"] == 4 and box["freedom"] == 3 and box["used"].all()
    assert np.isfinite(box["error_ratio"])
    if axis == "mono_energy":
        assert abs(box["slope"] - VOLTS) < 4.5 * box["slope_stddev"] < 0.1 * VOLTS
        assert box["chance"] > 1e-5 and "Against counting" in box["notes"]
    else:
        assert np.isnan(box["slope"]) and "the same rate" in box["notes"]  # one energy
    pull = (box["transient"] - counted["transient"][0]) / box["transient_stddev"]
    assert np.median(np.abs(pull)) < 3  # Student t with 3 degrees of freedom has its median at 0.76
    assert "Student t with 3 degrees of freedom" in box["notes"]
    assert not data_of(documents, "boxcar_trace")
    store = open_runs("journal", tmp_path, None)
    try:
        runs = store.runs()
        results = replay(store, runs, plan_job(runs, passes[0][0][1]["scan_set"], {}))
    finally:
        store.close()
    assert all(result.agreement is not None and result.agreement.exact for result in results)


def test_a_saturating_amplifier_is_reported(tmp_path):
    passes = [with_boxcar(each, number, saturation=1.0, noise=1e-5) for number, each in enumerate(scan_set_of(2))]
    (box,) = data_of(acquire(tmp_path, passes)[passes[1][0][1]["uid"]], "boxcar_box1")
    assert box["departure"] < -0.05 and "not linear" in box["notes"]


def test_points_and_passes_that_are_out_are_out_of_the_boxcar_too(tmp_path):
    first, second = (with_boxcar(each, number) for number, each in enumerate(scan_set_of(2)))
    first[3][1]["data"]["boxcar_box1"] = 1e6  # nonsense that must not show
    with Acquisition(tmp_path) as session:
        session.take(first)
        session.reducer.exclusions.leave_out(first[0][1]["uid"])
        session.take(second)
        (box,) = data_of(session.reduced[second[0][1]["uid"]], "boxcar_box1")
    assert box["pairs"] == 2 and abs(box["static"]).max() < 10


def test_bad_and_clipped_dwells_leave_their_points_out(tmp_path):
    (first,) = scan_set_of(1)
    documents = with_boxcar(first, 1)
    documents[3][1]["data"]["i0"] = float("nan")
    for _, doc in documents[2:-1]:
        doc["data"]["boxcar_box1_overload"] = int(doc["data"]["point_index"] == 5 and doc["data"]["segment"] == 1)
    seen = []
    reducer = LiveReducer(lambda name, doc: seen.append((name, doc)))
    for name, doc in documents:
        reducer(name, doc)
    (box,) = data_of(seen, "boxcar_box1")
    assert np.flatnonzero(box["used"] == 0).tolist() == [0, 5]
