"""Kinetics during a delay scan: refits after each point, in a separate thread."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from reduction.errors import ReductionError
from reduction.live.reducer import LiveReducer
from reduction.live.scan_result import fit_kinetics
from reduction.settings import Settings
from reduction.traces.delay import DelayScan
from reduction.traces.kinetics.fit import KineticFit

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fitted:
    """The latest fit.

    Attributes
    ----------
    fit : KineticFit or None
    why_not : str
        Why there is no fit; empty if there is one.
    trace : DelayScan or None
        The fitted trace.
    """

    fit: KineticFit | None
    why_not: str
    trace: DelayScan | None


class LiveKinetics:
    """Subscriber that fits the trace of a delay scan after each point.

    Called by the RunEngine after the live reducer. In the thread of the acquisition it only copies the sums; the fit
    runs in a daemon thread, which takes the newest sums only, so that a slow fit skips points and delays nothing.

    Parameters
    ----------
    reducer : LiveReducer
    """

    def __init__(self, reducer: LiveReducer) -> None:
        self._reducer = reducer
        self._pattern = 1
        self._todo: tuple[Callable[[], DelayScan], Settings] | None = None
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._busy = False
        self._closed = False
        self.latest = Fitted(None, "no delay scan yet", None)

    def __call__(self, name: str, doc: Mapping[str, Any]) -> None:
        """Process one raw document, after the reducer."""
        if name == "start":
            self._pattern = max(1, len(doc.get("pattern", ())))
        elif name == "event" and "segment" in doc["data"] and (int(doc["data"]["segment"]) + 1) % self._pattern == 0:
            self._ask()

    def _ask(self) -> None:
        try:
            trace = self._reducer.snapshot()
        except Exception as error:  # there may be too little yet: the next point is another trace
            logger.info("no trace to fit yet", exc_info=True)
            self.latest = Fitted(None, f"no fit: {type(error).__name__}: {error}", None)
            return
        if trace is None:
            return
        with self._change:
            self._todo = trace, self._reducer.settings
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._work, name="live kinetics", daemon=True)
                self._thread.start()
            self._change.notify_all()

    def wait(self, timeout: float) -> bool:
        """Wait until all data so far are fitted; False on timeout (s)."""
        with self._change:
            return self._change.wait_for(lambda: self._todo is None and not self._busy, timeout)

    def close(self) -> None:
        """Stop the thread."""
        with self._change:
            self._closed, self._todo = True, None
            self._change.notify_all()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _work(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._todo is not None or self._closed)
                if self._closed:
                    return
                todo, self._todo, self._busy = self._todo, None, True
            assert todo is not None
            self.latest = _fitted(*todo)
            with self._change:
                self._busy = False
                self._change.notify_all()


def _fitted(todo: Callable[[], DelayScan], settings: Settings) -> Fitted:
    try:
        trace = todo()
        return Fitted(*fit_kinetics(trace, settings), trace)
    except ReductionError as error:
        return Fitted(None, f"no fit: {error}", None)
    except Exception as error:  # a failed fit must not end the thread
        logger.exception("the live fit failed")
        return Fitted(None, f"no fit: {type(error).__name__}: {error}", None)
