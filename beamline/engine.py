"""The RunEngine of a session."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from bluesky import RunEngine
from bluesky.utils import SigintHandler


def make_engine() -> RunEngine:
    """A RunEngine that gives results, pauses on Ctrl-C and loses no time on the text of arrays."""
    return RunEngine({}, call_returns_result=True, context_managers=[SigintHandler, _short_arrays])


def _short_arrays(_: RunEngine) -> AbstractContextManager[Any]:
    """While a plan runs, arrays have a short text.

    The schema check of each event makes a text of each value; for the arrays of the photon counter that was 6 ms of
    every dwell.
    """
    return np.printoptions(override_repr=lambda array: f"array of shape {array.shape}")
