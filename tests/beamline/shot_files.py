"""Files of shots as the instrument writes them, and the documents of a run that references their rows."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import event_model
import h5py
import numpy as np

from beamline.records.shot_files.file import COLUMNS, ROWS
from devices.instruments.digitiser import DATASETS
from tests.beamline.example_runs import Documents


def file_of_shots(
    path: Path, rows: int = 3, length: int = 1000, chunks: bool = True, valid: int | None = None, **wrong: Any
) -> np.ndarray:
    """Write a file and return its heights, shape (rows, length); `wrong` puts other values into a column."""
    rng = np.random.default_rng(1)
    heights = rng.normal(600, 500, (rows, length)).astype(np.int16)
    first_phase = np.arange(rows) * length % 120
    known = (np.arange(rows), first_phase, np.full(rows, valid or length), np.zeros(rows, int))
    path.parent.mkdir(exist_ok=True)
    with h5py.File(path, "w", libver="latest") as file:
        group = file.create_group("shots")
        group.attrs["num_phases"] = 120
        for name in ROWS:
            group.create_dataset(name, data=heights, chunks=(1, length) if chunks else (rows, length // 2))
        for name, values in zip(COLUMNS, known, strict=True):
            data = np.asarray(wrong.get(name, values), DATASETS[name])
            group.create_dataset(name, data=data, maxshape=(None,), chunks=(1024,))
    return heights


def run_of_shots(path: Path, rows: int = 3, length: int = 1000, steps: tuple[int, ...] = (2,)) -> Documents:
    """A run with one event, and a stream `shots` whose rows are referenced up to each of `steps`, then to the end."""
    run = event_model.compose_run(metadata={"plan_name": "test"})
    documents: Documents = [("start", dict(run.start_doc))]
    primary = run.compose_descriptor(name="primary", data_keys={"i0": {"dtype": "number", "shape": [], "source": "x"}})
    keys = {
        f"digitiser_{name}": {
            "dtype": "array" if name in ROWS else "integer", "dtype_numpy": kind, "source": "x",
            "shape": [length] if name in ROWS else [], "external": "STREAM:",
        }
        for name, kind in DATASETS.items()
    }  # fmt: skip
    shots = run.compose_descriptor(name="shots", data_keys=keys)
    documents += [("descriptor", dict(each.descriptor_doc)) for each in (primary, shots)]
    documents.append(("event", dict(primary.compose_event(data={"i0": 1.0}, timestamps={"i0": 0.0}, seq_num=1))))
    data = []
    for name in DATASETS:
        bundle = run.compose_stream_resource(
            mimetype="application/x-hdf5", uri=f"file://localhost{path}", data_key=f"digitiser_{name}",
            parameters={"dataset": f"/shots/{name}", "chunk_shape": [1, length] if name in ROWS else [1024]},
        )  # fmt: skip
        documents.append(("stream_resource", dict(bundle.stream_resource_doc)))
        data.append(bundle.compose_stream_datum)
    ends = (0, *steps, rows)
    for start, stop in pairwise(ends):
        indices = {"start": start, "stop": stop}
        documents += [("stream_datum", dict(one(indices=indices, descriptor=shots.descriptor_doc))) for one in data]
    documents.append(("stop", dict(run.compose_stop())))
    return documents
