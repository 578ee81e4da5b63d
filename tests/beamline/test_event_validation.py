"""Events are validated in microseconds, and never less strictly than by their schema."""

from __future__ import annotations

from typing import Any

import event_model
import jsonschema
import numpy as np
import pytest
from event_model import DocumentNames, schema_validators

from beamline.session.engine import READ_FROM, checked_quickly, digest, is_event, make_engine

GOOD: dict[str, Any] = {
    "uid": "a",
    "descriptor": "b",
    "seq_num": 1,
    "time": 1.7e9,
    "data": {"counts": np.arange(3), "quality": "good"},
    "timestamps": {"counts": 1.7e9, "quality": 1.7e9},
    "filled": {"counts": False},
}
ODD = ("text", 1, 1.5, None, True, [], {}, {"a": None}, {"a": "uid"}, {1: 2}, (), b"a", np.float64(1), np.int64(1))


def changed() -> list[dict[str, Any]]:
    """The good event with each key left out, with each odd value, and with a key more."""
    less = [{key: value for key, value in GOOD.items() if key != left_out} for left_out in GOOD]
    other = [{**GOOD, key: value} for key in GOOD for value in ODD]
    return [*less, *other, {**GOOD, "more": 1}]


def test_what_is_passed_quickly_also_passes_the_schema() -> None:
    schema = schema_validators[DocumentNames.event]
    passed = [event for event in changed() if is_event(event)]
    assert is_event(GOOD)
    assert 10 < len(passed) < len(changed()) / 2
    for event in (GOOD, *passed):
        schema.validate(event)


def test_an_event_that_is_wrong_is_refused_with_the_error_of_the_schema() -> None:
    with checked_quickly():
        quick = schema_validators[DocumentNames.event]
        quick.validate(GOOD)
        with pytest.raises(jsonschema.ValidationError, match="'uid' is a required"):
            quick.validate({key: value for key, value in GOOD.items() if key != "uid"})


def test_the_schema_is_the_one_that_the_quick_check_was_written_after() -> None:
    """If not: read the changes, adapt `is_event`, and record the new digest."""
    assert digest(event_model.schemas[DocumentNames.event]) == READ_FROM


def test_another_schema_validates_as_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(event_model.schemas, DocumentNames.event, {"type": "object"})
    before = schema_validators[DocumentNames.event]
    with checked_quickly():
        assert schema_validators[DocumentNames.event] is before


def test_only_while_a_plan_runs() -> None:
    before, seen = schema_validators[DocumentNames.event], []

    def plan() -> Any:
        seen.append(schema_validators[DocumentNames.event])
        yield from ()

    make_engine({})(plan())
    assert seen != [before]
    assert schema_validators[DocumentNames.event] is before
