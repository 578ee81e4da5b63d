"""The RunEngine of a session, and what is different while it runs a plan."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from bluesky import RunEngine

from beamline.session.checked_metadata import MetadataEngine
from beamline.session.interrupts import PauseOnInterrupt


def make_engine(fixed: Mapping[str, Any]) -> MetadataEngine:
    """A RunEngine that gives results and pauses on Ctrl-C; see `MetadataEngine`."""
    return MetadataEngine(fixed, call_returns_result=True, context_managers=[PauseOnInterrupt, _while_a_plan_runs])


@contextmanager
def _while_a_plan_runs(_: RunEngine) -> Iterator[None]:
    """Arrays have a short repr, and the garbage collector skips the objects that are there: 200,000, all of which stay.

    The check of an event by its schema formats each value: 4 ms for the arrays of the photon counter.
    """
    gc.freeze()
    try:
        with np.printoptions(override_repr=lambda array: f"array of shape {array.shape}"):
            yield
    finally:
        gc.unfreeze()
