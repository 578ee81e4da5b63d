"""The RunEngine of a session, with the checks it makes of every message and event in microseconds."""

from __future__ import annotations

import gc
import json
import sys
import typing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from typing import Any, Protocol

import numpy as np
from bluesky import RunEngine
from bluesky.utils import SigintHandler
from event_model import DocumentNames, schema_validators, schemas

READ_FROM = "766e0d5ddb50fdab"
"""Digest of the schema that `is_event` was written after."""
TEXTS, MAPPINGS = ("uid", "descriptor"), ("data", "timestamps", "filled")


class Validator(Protocol):
    """Raises an error at a document that is not as its schema wants it."""

    def validate(self, document: Any) -> None:
        """Check one document."""
        ...


def digest(schema: Mapping[str, Any]) -> str:
    """Of a schema, whatever the order of its keys."""
    return sha256(json.dumps(schema, sort_keys=True).encode()).hexdigest()[:16]


def is_event(document: Any) -> bool:
    """Whether a document is surely as the schema of events wants it; if not, the schema has to be asked."""
    return (
        type(document) is dict
        and document.keys() == {*TEXTS, *MAPPINGS, "time", "seq_num"}
        and all(type(document[key]) is str for key in TEXTS)
        and all(type(document[key]) is dict for key in MAPPINGS)
        and type(document["time"]) is float
        and type(document["seq_num"]) is int
        and all(type(value) in (bool, str) for value in document["filled"].values())
    )


class Events:
    """Checks events: at once what is surely right, by their schema everything else."""

    def __init__(self, schema: Validator) -> None:
        self._schema = schema

    def validate(self, document: Any) -> None:
        """Raise the error of the schema if the document is not as it should be."""
        if not is_event(document):
            self._schema.validate(document)


@contextmanager
def checked_quickly() -> Iterator[None]:
    """Meanwhile events are checked by `Events`; as ever if the installed schema is not the one it knows."""
    name = DocumentNames.event
    before = schema_validators[name]
    if digest(schemas[name]) == READ_FROM:
        schema_validators[name] = Events(before)
    try:
        yield
    finally:
        schema_validators[name] = before


MEMBERS = "_get_protocol_attrs"
"""The function of `typing` that lists what a protocol asks for."""


@contextmanager
def protocols_remembered() -> Iterator[None]:
    """Meanwhile the members of each protocol are listed once, as Python does by itself from 3.12 on.

    Python 3.11 lists them twice at each ``isinstance``, which the RunEngine asks forty times a dwell: an eighth of what
    a step costs. A protocol does not change its members.
    """
    members = getattr(typing, MEMBERS, None)
    if members is None or sys.version_info >= (3, 12):
        yield
        return
    setattr(typing, MEMBERS, cache(members))
    try:
        yield
    finally:
        setattr(typing, MEMBERS, members)


def make_engine() -> RunEngine:
    """A RunEngine that gives results, pauses on Ctrl-C and loses no time on the schema of events."""
    return RunEngine({}, call_returns_result=True, context_managers=[SigintHandler, _quick_checks])


@contextmanager
def what_is_there_stays() -> Iterator[None]:
    """Meanwhile the garbage collector leaves alone what is there already: some 200,000 objects, of which none goes."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def _quick_checks(_: RunEngine) -> Iterator[None]:
    """While a plan runs, events and devices are checked quickly, and arrays have a short text.

    Where an event has to be checked by its schema after all, that makes a text of each value: 6 ms for the arrays of
    the photon counter.
    """
    with (
        checked_quickly(),
        what_is_there_stays(),
        protocols_remembered(),
        np.printoptions(override_repr=lambda array: f"array of shape {array.shape}"),
    ):
        yield
