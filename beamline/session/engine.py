"""The RunEngine of a session, with fast checks of messages and events."""

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
from event_model import DocumentNames, schema_validators, schemas

from beamline.session.checked_metadata import MetadataEngine
from beamline.session.interrupts import PauseOnInterrupt

READ_FROM = "766e0d5ddb50fdab"
"""Digest of the schema that `is_event` implements."""
TEXTS, MAPPINGS = ("uid", "descriptor"), ("data", "timestamps", "filled")


class Validator(Protocol):
    """Raises an error for documents that violate their schema."""

    def validate(self, document: Any) -> None:
        """Validate one document."""
        ...


def digest(schema: Mapping[str, Any]) -> str:
    """Digest of a schema, independent of the order of its keys."""
    return sha256(json.dumps(schema, sort_keys=True).encode()).hexdigest()[:16]


def is_event(document: Any) -> bool:
    """Whether a document certainly satisfies the event schema; if False, the schema itself must decide."""
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
    """Validates events: certainly valid ones at once, all others by the schema."""

    def __init__(self, schema: Validator) -> None:
        self._schema = schema

    def validate(self, document: Any) -> None:
        """Raise the error of the schema if the document is invalid."""
        if not is_event(document):
            self._schema.validate(document)


@contextmanager
def checked_quickly() -> Iterator[None]:
    """Context in which events are validated by `Events`; unchanged if the installed schema is another one."""
    name = DocumentNames.event
    before = schema_validators[name]
    if digest(schemas[name]) == READ_FROM:
        schema_validators[name] = Events(before)
    try:
        yield
    finally:
        schema_validators[name] = before


MEMBERS = "_get_protocol_attrs"
"""The function of `typing` that lists the members of a protocol."""


@contextmanager
def protocols_remembered() -> Iterator[None]:
    """Context in which the members of each protocol are cached, as Python does from 3.12 on.

    Python 3.11 lists them twice at each ``isinstance``, which the RunEngine calls forty times per dwell: an eighth of
    the cost of a step. The members of a protocol never change.
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


def make_engine(fixed: Mapping[str, Any]) -> MetadataEngine:
    """A RunEngine that gives results, pauses on Ctrl-C and checks events quickly; see `MetadataEngine`."""
    return MetadataEngine(fixed, call_returns_result=True, context_managers=[PauseOnInterrupt, _quick_checks])


@contextmanager
def what_is_there_stays() -> Iterator[None]:
    """Context in which the garbage collector skips existing objects: some 200,000, all of which persist."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def _quick_checks(_: RunEngine) -> Iterator[None]:
    """Context while a plan runs: fast checks of events and devices, and a short repr of arrays.

    If an event must be validated by its schema after all, that formats each value: 6 ms for the arrays of the photon
    counter.
    """
    with (
        checked_quickly(),
        what_is_there_stays(),
        protocols_remembered(),
        np.printoptions(override_repr=lambda array: f"array of shape {array.shape}"),
    ):
        yield
