"""Raw runs of photon-counting energy scans from the forward model, and an acquisition of them without devices."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import event_model
import numpy as np

from beamline.records.journal import Journal
from reduction.live.reducer import LiveReducer
from sim_ioc.physics.photons import sample_pairs
from tests.beamline.example_runs import Documents, data_key
from tests.reduction.scans import ENERGIES, SEGMENTS, photons, scenario_model

MODEL = scenario_model()
MU = photons(MODEL)
SETTINGS = {"pre_edge": [13.450, 13.460], "integral": [13.465, 13.570], "reference": "paper", "i0_noise": 1e-3}
GATES = 40_000
WHITE_LINE = 5
DWELLS = ENERGIES.size * len(SEGMENTS)


def new_uid() -> str:
    return str(uuid.uuid4())


def raw_scan(
    seed: int, scan_set: str, scan_index: int = 0, passes: int = 1, began: float = 1.7e9, **metadata: Any
) -> Documents:
    """One pass: start, descriptor, an event each dwell (one a second), stop."""
    rng = np.random.default_rng(seed)
    run = event_model.compose_run(
        time=began,
        metadata={
            "plan_name": "energy_scan", "edge": "Br_K", "scan_set": scan_set, "scan_index": scan_index,
            "passes": passes, "pump_delay": 100.0, "grid": ENERGIES.tolist(), "pattern": list(SEGMENTS),
            "num_points": ENERGIES.size, "num_events": DWELLS, "settings": SETTINGS, "reference": "paper",
            "mode": "sim", "sample": "test sample", "scan_id": scan_index + 1, **metadata,
        },
    )  # fmt: skip
    documents: Documents = [("start", dict(run.start_doc))]
    stream = None
    for number in range(DWELLS):
        data = dwell(rng, *divmod(number, len(SEGMENTS)))
        if stream is None:
            keys = {key: data_key(value) for key, value in data.items()}
            stream = run.compose_descriptor(name="primary", data_keys=keys, configuration=timing())
            documents.append(("descriptor", dict(stream.descriptor_doc)))
        stamps = dict.fromkeys(data, 1.0)
        event = stream.compose_event(data=data, timestamps=stamps, time=began + 1.0 + number, validate=False)
        documents.append(("event", dict(event)))
    documents.append(("stop", dict(run.compose_stop(time=began + 1.0 + DWELLS))))
    return documents


def dwell(rng: np.random.Generator, point: int, segment: int) -> dict[str, Any]:
    """Data of one event."""
    counts = sample_pairs(rng, MU[point, segment], GATES)
    seconds = GATES * MODEL.num_phases / MODEL.bunch_rate_hz
    rate = MODEL.i0_rate() * (1 + 1e-3 * rng.standard_normal())
    return {
        "point_index": point, "segment": segment, "attempt": 0, "laser_on": SEGMENTS[segment], "quality": "good",
        "mono_energy": float(ENERGIES[point]), "laser_phase": int(MODEL.laser_phase), "i0": float(rate * seconds),
        "i0_time": float(seconds), "i0_gain": 1e8, "i0_dark": float(MODEL.scenario.i0.dark_per_s),
        "fpga_counts": counts.counts.astype(np.int32), "fpga_gates": counts.gates.astype(np.int32),
        "fpga_pair_gates": counts.pair_gates.astype(np.int32), "fpga_pair_counts": counts.pair_counts.astype(np.int32),
        "fpga_prev_hits": counts.prev_hits.astype(np.int32), "fpga_coincidences": counts.coinc.astype(np.int32),
    }  # fmt: skip


def timing() -> dict[str, Any]:
    data = {
        "timing_num_bunches": MODEL.num_bunches,
        "timing_laser_divider": MODEL.divider,
        "timing_bunch_rate": float(MODEL.bunch_rate_hz),
    }
    keys = {key: data_key(value) for key, value in data.items()}
    return {"timing": {"data": data, "timestamps": dict.fromkeys(data, 1.0), "data_keys": keys}}


def scan_set_of(passes: int, seed: int = 0, planned: int | None = None, **metadata: Any) -> list[Documents]:
    """The passes of one scan set, a minute apart."""
    scan_set = new_uid()
    return [
        raw_scan(100 * seed + n, scan_set, n, planned or passes, 1.7e9 + 1e4 * seed + 60.0 * n, **metadata)
        for n in range(passes)
    ]


class Acquisition:
    """What a session does with documents: journal first, then the live reducer, whose documents go to the journal.

    `reduced` has the documents of each reduced run, by the uid of its raw run.
    """

    def __init__(self, root: Path) -> None:
        self.journal = Journal(root, min_free_bytes=0)
        self.reduced: dict[str, Documents] = {}
        self._current: Documents = []
        self.reducer = LiveReducer(self._keep)

    def _keep(self, name: str, doc: Any) -> None:
        if name == "start":
            self._current = self.reduced[doc["analysis_of"]] = []
            # the live reduced run starts a moment after its raw run, as in reality
            doc["time"] = self._raw_began + 0.1
        self._current.append((name, doc))
        self.journal(name, doc)

    def take(self, documents: Iterable[tuple[str, dict[str, Any]]], reduce: bool = True) -> None:
        """Documents of raw runs, in order."""
        for name, doc in documents:
            if name == "start":
                self._raw_began = doc["time"]
            self.journal(name, doc)
            if reduce:
                self.reducer(name, doc)

    def __enter__(self) -> Acquisition:
        return self

    def __exit__(self, *exception: object) -> None:
        self.journal.close()


def acquire(root: Path, passes: Iterable[Documents]) -> dict[str, Documents]:
    """Take whole passes in one session; the live reduced runs by raw uid."""
    with Acquisition(root) as session:
        for documents in passes:
            session.take(documents)
        return session.reduced
