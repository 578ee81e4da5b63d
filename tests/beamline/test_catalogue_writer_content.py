"""Documents become streams whatever their order, and what does not fit is named."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import event_model
import numpy as np
import pytest

from beamline.records.catalogue_writer.content import RunContent
from tests.beamline.example_runs import Documents, events_of, raw_run
from tests.beamline.expected_catalogue import last_events
from tests.beamline.shot_files import run_of_shots


def content_of(documents: Documents) -> RunContent:
    content = RunContent()
    for name, doc in documents:
        content.take(name, doc)
    return content


def assert_pending(content: RunContent, documents: Documents, stream: str = "primary") -> None:
    expected = last_events(documents, stream)
    found = content.streams[stream]
    assert found.table()["seq_num"].to_pylist() == [event["seq_num"] for event in expected]
    for key, block in found.blocks().items():
        assert np.array_equal(block, np.array([event["data"][key] for event in expected]))
    for key in found.scalars:
        values = found.table()[key].to_pylist()
        assert np.array(values).tolist() == pytest.approx([event["data"][key] for event in expected], nan_ok=True)


def retaken(event: tuple[str, dict[str, Any]], uid: str) -> tuple[str, dict[str, Any]]:
    """The same sequence number again, as after a rewind."""
    name, doc = event
    data = doc["data"] | {"fpga_counts": doc["data"]["fpga_counts"] + 1, "i0": 5.0}
    return name, doc | {"uid": uid, "data": data, "time": doc["time"] + 1}


@pytest.mark.parametrize("seed", range(5))
def test_any_order_and_any_repetition_give_the_same(seed: int) -> None:
    documents = raw_run(6)
    shuffled = documents + random.Random(seed).choices(documents, k=5)
    random.Random(seed).shuffle(shuffled)
    content = content_of(shuffled)
    assert content.start == documents[0][1]
    assert content.stop == documents[-1][1]
    assert content.problems == []
    assert content.unplaced() == []
    assert not content.overtaken
    assert_pending(content, documents)


def test_the_last_event_of_a_sequence_number_counts() -> None:
    *documents, stop = raw_run(4)
    again = retaken(documents[-2], "again")
    content = content_of([*documents, again, stop])
    assert_pending(content, [*documents, again, stop])
    assert not content.overtaken


def test_a_stored_event_that_is_taken_again_overtakes_the_store() -> None:
    *documents, _, _ = raw_run(4)
    content = content_of(documents)
    for stream in content.streams.values():
        stream.mark_sent()
        stream.mark_stored()
    content.take(*documents[-1])  # the same document twice is no matter
    assert not content.overtaken
    content.take(*retaken(documents[-1], "again"))
    assert content.overtaken


def test_an_earlier_event_that_comes_after_a_stored_one_overtakes_it() -> None:
    documents = raw_run(4)
    events = [("event", event) for event in events_of(documents, "primary")]
    content = content_of([item for item in documents if item[0] != "event"])
    content.take(*events[2])
    content.streams["primary"].mark_sent()
    content.streams["primary"].mark_stored()
    content.take(*events[3])
    assert not content.overtaken
    content.take(*events[0])
    assert content.overtaken


def test_pages_are_unpacked() -> None:
    documents = raw_run(5)
    events = events_of(documents, "primary")
    page = event_model.pack_event_page(*events)
    others = [item for item in documents if item[1] not in events and item[0] != "stop"]
    assert_pending(content_of([*others, ("event_page", dict(page)), documents[-1]]), documents)


def changed(event: dict[str, Any], **data: Any) -> dict[str, Any]:
    return event | {"data": event["data"] | data}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda e: changed(e, fpga_counts=np.zeros(60, dtype=int)), r"fpga_counts has the shape \(60,\), not \(120,\)"),
        (lambda e: changed(e, fpga_gates=np.full(120, 2**40)), "fpga_gates has values"),
        (lambda e: changed(e, fpga_gates=np.full(120, 0.5)), "fpga_gates has values"),
        (lambda e: changed(e, fpga_gates=np.full(120, "x")), "fpga_gates has the type"),
        (lambda e: changed(e, point_index=1.5), "point_index = 1.5 is not a int64"),
        (lambda e: changed(e, point_index=2**70), "is not a int64"),
        (lambda e: changed(e, quality=3), "quality = 3 is not a string"),
        (lambda e: changed(e, i0="many"), "i0 = 'many' is not a float64"),
        (lambda e: changed(e, extra=1), "extra"),
        (lambda e: e | {"data": {k: v for k, v in e["data"].items() if k != "i0"}}, "i0"),
        (lambda e: {k: v for k, v in e.items() if k != "seq_num"}, "no 'seq_num'"),
        (lambda e: e | {"seq_num": "one"}, "stays in the journal only"),
        (lambda e: e | {"data": None}, "stays in the journal only"),
    ],
)
def test_an_event_that_does_not_fit_is_named_and_the_others_stay(change: Any, reason: str) -> None:
    documents = raw_run(4)
    bad = events_of(documents, "primary")[1]
    content = content_of([(name, change(doc) if doc is bad else doc) for name, doc in documents])
    (problem,) = content.problems
    assert re.search(reason, problem), problem
    assert content.streams["primary"].table()["seq_num"].to_pylist() == [1, 3, 4]


def test_narrower_arrays_are_widened_without_loss() -> None:
    documents = raw_run(1)
    event = events_of(documents, "primary")[0]
    event["data"]["fpga_counts"] = np.arange(120, dtype=np.int32)
    content = content_of(documents)
    assert content.problems == []
    assert content.streams["primary"].blocks()["fpga_counts"].dtype == np.int64


def test_events_without_a_descriptor_are_named() -> None:
    documents = raw_run(3)
    content = content_of([item for item in documents if item[0] != "descriptor"])
    assert [text.split(" have")[0] for text in content.unplaced()] == ["2 events", "3 events"]


def test_a_second_descriptor_is_a_change_of_configuration() -> None:
    *documents, stop = raw_run(2)
    _, first = next(item for item in documents if item[0] == "descriptor" and item[1]["name"] == "primary")
    second = first | {"uid": "second", "configuration": {}}
    later = events_of(documents, "primary")[-1] | {"descriptor": "second", "seq_num": 3, "uid": "later"}
    content = content_of([*documents, ("descriptor", second), ("event", later), stop])
    stream = content.streams["primary"]
    assert stream.table()["seq_num"].to_pylist() == [1, 2, 3]
    assert [update["uid"] for update in stream.updates] == ["second"]
    content.take("descriptor", first | {"uid": "third", "data_keys": {}})
    assert "data keys differ" in content.problems[0]


def test_rows_of_files_are_counted_once_and_what_does_not_fit_is_named(tmp_path: Path) -> None:
    documents = run_of_shots(tmp_path / "a.h5", rows=5, steps=(2, 4))
    stream = content_of(documents).streams["shots"]
    assert {key: file.rows for key, file in stream.files.items()} == dict.fromkeys(stream.metadata["data_keys"], 5)
    data = [item for item in documents if item[0] == "stream_datum"]
    content = content_of([*documents, *data])
    assert content.streams["shots"].files["digitiser_heights"].rows == 5 and not content.problems
    without = [item for item in documents if item not in data[6:12]]
    assert "rows from 4 on, but those from 2 on are missing" in content_of(without).problems[0]
    _, resource = next(item for item in documents if item[0] == "stream_resource")
    picture = resource | {"uid": "picture", "mimetype": "image/tiff"}
    second = resource | {"uid": "second", "uri": "file://localhost/b.h5"}
    datum = data[0][1] | {"stream_resource": "second"}
    early = ("stream_datum", datum | {"stream_resource": "never"})
    wrong = [("stream_resource", picture), ("stream_resource", second), ("stream_datum", datum), early]
    output = content_of([*documents, *wrong]).problems
    for word, problem in zip(("image/tiff", "another file", "never"), output, strict=True):
        assert word in problem
    assert content_of([*documents, ("datum", {"uid": "y"})]).problems[0].startswith("datum documents")


@pytest.mark.parametrize(
    "name",
    ["start", "descriptor", "event", "event_page", "stop", "stream_resource", "stream_datum", "datum", "nonsense"],
)
@pytest.mark.parametrize("doc", [{}, {"uid": 3}, {"data_keys": 4, "uid": "x", "name": "y"}, {"descriptor": []}])
def test_nonsense_raises_nothing(name: str, doc: dict[str, Any]) -> None:
    content_of([(name, doc)])
