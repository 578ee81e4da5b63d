"""What the catalogue must hold of announced documents, worked out with plain numpy, and the comparison."""

from __future__ import annotations

from typing import Any

import numpy as np

from beamline.records.catalogue.client import list_runs, read_stream, run_documents
from tests.beamline.example_runs import Documents, events_of, same, uid_of_run


def last_events(documents: Documents, stream: str) -> list[dict[str, Any]]:
    """Events of a stream by rising sequence number, the last one of each number."""
    by_number = {event["seq_num"]: event for event in events_of(documents, stream)}
    return [by_number[number] for number in sorted(by_number)]


def assert_holds(client: Any, *runs: Documents) -> None:
    """The catalogue holds exactly these runs, complete and unchanged."""
    listed = [run["start"]["uid"] for run in list_runs(client)]
    assert sorted(listed) == sorted(uid_of_run(documents) for documents in runs)
    for documents in runs:
        assert_holds_run(client, documents)


def assert_holds_run(client: Any, documents: Documents) -> None:
    """The catalogue holds this run complete and unchanged."""
    uid = uid_of_run(documents)
    held = run_documents(client, uid)
    assert same(held["start"], documents[0][1])
    assert same(held["stop"], next((doc for name, doc in documents if name == "stop"), None))
    streams = {doc["name"] for name, doc in documents if name == "descriptor"}
    assert set(client[uid]) == streams
    for stream in streams:
        events = last_events(documents, stream)
        columns = read_stream(client, uid, stream)
        assert columns["seq_num"].tolist() == [event["seq_num"] for event in events]
        assert columns["time"].tolist() == [event["time"] for event in events]
        keys = events[0]["data"] if events else {}
        assert set(columns) == {"seq_num", "time", *keys}
        for key in keys:
            expected = np.array([event["data"][key] for event in events])
            assert columns[key].dtype.kind == expected.dtype.kind, key
            assert columns[key].shape == expected.shape, key
            if expected.ndim > 1:
                assert columns[key].dtype == expected.dtype, key
                assert columns[key].tobytes() == expected.tobytes(), key
            else:
                assert same(columns[key].tolist(), expected.tolist()), key
