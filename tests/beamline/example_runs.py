"""Runs as emitted by the RunEngine and the reduction, composed and validated by event-model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import event_model
import numpy as np

Documents = list[tuple[str, dict[str, Any]]]


def data_key(value: Any) -> dict[str, Any]:
    """The entry of a descriptor for this value."""
    if isinstance(value, np.ndarray):
        return {"dtype": "array", "dtype_numpy": value.dtype.str, "shape": list(value.shape), "source": "test"}
    kinds: list[tuple[type, str]] = [(bool, "boolean"), (str, "string"), (int, "integer"), (float, "number")]
    dtype = next(name for kind, name in kinds if isinstance(value, kind))
    return {"dtype": dtype, "shape": [], "source": "test"}


def raw_event(number: int, rng: np.random.Generator) -> dict[str, Any]:
    """Data of one dwell: scalars of every kind, 120-phase integers, pair counters."""
    return {
        "point_index": number // 4,
        "laser_on": number % 4 in (1, 2),
        "quality": "ok" if number % 7 else "unlocked",
        "mono_energy": 13.45 + 0.0005 * number,
        "i0": float("nan") if number == 2 else 1e6 + number,
        "big": 2**60 + number,
        "fpga_counts": rng.integers(0, 2**62, 120),
        "fpga_gates": rng.integers(0, 2**31 - 1, 120, dtype=np.int32),
        "fpga_pair_counts": rng.integers(0, 2**31 - 1, (5, 120), dtype=np.int32),
    }


def raw_run(events: int, seed: int = 0, **metadata: Any) -> Documents:
    """A raw run: streams `baseline` (two events) and `primary`."""
    rng = np.random.default_rng(seed)
    settings = {"window": [13.45, 13.46], "tau": float("inf"), "unknown": float("nan"), "nested": [{"a": [1, None]}]}
    run = event_model.compose_run(metadata={"plan_name": "energy_scan", "settings": settings, **metadata})
    documents: Documents = [("start", dict(run.start_doc))]
    baseline = _stream(run, documents, "baseline", {"ring_current": 102.0, "mode": "24"})
    primary = _stream(run, documents, "primary", raw_event(0, rng))
    _event(documents, baseline, {"ring_current": 102.0, "mode": "24"})
    for number in range(events):
        _event(documents, primary, raw_event(number, rng))
    _event(documents, baseline, {"ring_current": 101.5, "mode": "24"})
    documents.append(("stop", dict(run.compose_stop())))
    return documents


def reduced_run(points: int, energies: int = 100, seed: int = 0, **metadata: Any) -> Documents:
    """A reduced run: stream `points`, and one event of the stream `spectrum`."""
    rng = np.random.default_rng(seed)
    run = event_model.compose_run(metadata={"plan_name": "reduction", "analysis_of": "raw", **metadata})
    documents: Documents = [("start", dict(run.start_doc))]
    stream = None
    for number in range(points):
        data = {"point_index": number, "rate": rng.normal(size=5), "covariance": rng.normal(size=(5, 5))}
        stream = stream or _stream(run, documents, "points", data)
        _event(documents, stream, data)
    spectrum = {"energy": rng.normal(size=energies), "transient": rng.normal(size=(5, energies))}
    spectrum["covariance_of_transient"] = rng.normal(size=(5, energies, energies))
    _event(documents, _stream(run, documents, "spectrum", spectrum), spectrum)
    documents.append(("stop", dict(run.compose_stop())))
    return documents


def _stream(run: Any, documents: Documents, name: str, data: dict[str, Any]) -> Any:
    keys = {key: data_key(value) for key, value in data.items()}
    configuration = {
        "soft": {
            "data": {"soft_t0": 169.78, "soft_empty": float("nan")},
            "timestamps": {"soft_t0": 1.0, "soft_empty": 1.0},
            "data_keys": {"soft_t0": data_key(1.0), "soft_empty": data_key(1.0)},
        }
    }
    stream = run.compose_descriptor(name=name, data_keys=keys, configuration=configuration)
    documents.append(("descriptor", dict(stream.descriptor_doc)))
    return stream


def _event(documents: Documents, stream: Any, data: dict[str, Any]) -> None:
    event = stream.compose_event(data=data, timestamps=dict.fromkeys(data, 1.5), validate=False)
    documents.append(("event", dict(event)))


def announced(journal: Callable[[str, dict[str, Any]], None], documents: Documents) -> None:
    """Pass all documents to the journal."""
    for name, doc in documents:
        journal(name, doc)


def uid_of_run(documents: Documents) -> str:
    """The uid of the start document."""
    return next(doc["uid"] for name, doc in documents if name == "start")


def events_of(documents: Documents, stream: str) -> list[dict[str, Any]]:
    """Events of one stream, in order."""
    uids = {doc["uid"] for name, doc in documents if name == "descriptor" and doc["name"] == stream}
    return [doc for name, doc in documents if name == "event" and doc["descriptor"] in uids]


def interleaved(*runs: Documents) -> Iterator[tuple[str, dict[str, Any]]]:
    """Documents of all runs, interleaved."""
    waiting = [list(run) for run in runs]
    while any(waiting):
        for run in waiting:
            if run:
                yield run.pop(0)


def same(one: Any, other: Any) -> bool:
    """Bitwise equality, including types and shapes of arrays, NaN equal to NaN, a tuple equal to a list."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, np.ndarray | np.generic) or isinstance(other, np.ndarray | np.generic):
        return (
            type(one) is type(other)
            and one.dtype == other.dtype
            and one.shape == other.shape
            and one.tobytes() == other.tobytes()
        )
    if isinstance(one, float) and one != one:
        return isinstance(other, float) and other != other
    return type(one) is type(other) and one == other
