"""A RunEngine that protects the session's metadata from changes and records why a run was aborted."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import bluesky.preprocessors as bpp
from bluesky.utils import Msg, Subscribers

from beamline.session.interrupts import PauseOnInterrupt
from devices.channel_access.quick_read import QuickReadEngine, short_arrays
from plans.compilation.metadata import OF_REDUCED_RUNS, MetadataError, check_metadata, check_storable

NEVER_RAW = OF_REDUCED_RUNS | {"uid", "time"}
"""Keys that no plan may set: the run would be taken for another one."""

LONGEST_STOP, PAUSE = 1.0, 0.005
"""Seconds to wait for the end of the event loop, and between two looks."""


class MetadataEngine(QuickReadEngine):
    """A RunEngine that checks metadata, gives results, and pauses on Ctrl-C.

    Parameters
    ----------
    fixed : mapping
        Entries of each start document that must not change.
    """

    def __init__(self, fixed: Mapping[str, Any]) -> None:
        around = [PauseOnInterrupt, short_arrays]
        super().__init__(dict(fixed), md_validator=self._check_start, call_returns_result=True, context_managers=around)
        self._fixed = fixed
        self._why = ""
        self.preprocessors.append(partial(bpp.msg_mutator, msg_proc=self._give_reason))

    def __call__(self, plan: Iterable[Msg], subs: Subscribers | None = None, /, **metadata: Any) -> Any:
        """Execute a plan, with the user's metadata for all its runs.

        Raises
        ------
        plans.compilation.metadata.MetadataError
            Naming keys that trxas sets itself, or that cannot be stored.
        TypeError
            If the plan was not called.
        """
        if callable(plan) and not isinstance(plan, Iterable):
            name = getattr(plan, "__name__", "plan")
            raise TypeError(f"{name} is not called yet: type RE({name}()) with its arguments; {name}? explains them")
        check_metadata(metadata)
        self._why = ""
        return super().__call__(plan, subs, **metadata)

    def abort(self, reason: str = "") -> Any:
        """Stop a running or paused plan and mark it as aborted; the reason goes into the stop document."""
        self._why = reason
        return super().abort(reason)

    def close(self) -> None:
        """End the thread of the event loop, unless a plan hangs in it; afterwards no plan is executed."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        deadline = time.monotonic() + LONGEST_STOP
        while self.loop.is_running() and time.monotonic() < deadline:
            time.sleep(PAUSE)
        if not self.loop.is_running():
            self.loop.close()

    def _give_reason(self, message: Msg) -> Msg:
        """Add the reason to `close_run`: bluesky's own plans close an aborted run without one."""
        if message.command != "close_run" or message.kwargs.get("reason") or not self._why:
            return message
        reasoned = {**message.kwargs, "reason": self._why}
        return Msg(message.command, message.obj, *message.args, run=message.run, **reasoned)

    def _check_start(self, metadata: Mapping[str, Any]) -> None:
        """Refuse invalid entries of a start document, before the run begins."""
        check_storable(metadata)
        changed = [key for key, value in self._fixed.items() if metadata.get(key) != value]
        if wrong := [*changed, *sorted(set(metadata) & NEVER_RAW)]:
            raise MetadataError(f"md: {', '.join(wrong)}: reserved keys; choose other names")
