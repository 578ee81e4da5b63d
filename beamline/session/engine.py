"""The RunEngine of a session."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from bluesky import RunEngine
from bluesky.utils import SigintHandler

from beamline.session.events import checked_quickly
from beamline.session.supports import protocols_remembered


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
