"""Which tests call which functions, recorded once: a pytest plugin."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

ALONE = "function"
"""Scope of a fixture that belongs to one test; what others run counts for every test that uses them."""


class LinesOfTests:
    """Records the functions of some folders that each test calls, its fixtures included, and how long it takes.

    Attributes
    ----------
    lines : dict
        ``path:line`` of whole functions by context: a test, or ``fixture NAME``.
    """

    def __init__(self, root: Path, folders: tuple[str, ...], out: Path, known: dict[str, Any]) -> None:
        self._root, self._out, self._known = root, out, known
        self._folders = tuple(str(root / folder) + "/" for folder in folders)
        self.lines: dict[str, set[str]] = {}
        self._contexts: list[str] = []
        self._seen: set[int] = set()
        self._users: dict[str, list[str]] = {}
        self._seconds: dict[str, float] = {}
        self._failed: set[str] = set(known["failed"])

    def _enter(self, context: str) -> None:
        self._contexts.append(context)
        self.lines.setdefault(context, set())
        self._seen = set()

    def _leave(self) -> None:
        self._contexts.pop()
        self._seen = set()

    def _call(self, frame: FrameType, event: str, argument: Any) -> None:
        code = frame.f_code
        if code.co_filename.startswith(self._folders) and self._contexts and id(code) not in self._seen:
            self._seen.add(id(code))
            file = code.co_filename[len(str(self._root)) + 1 :]
            self.lines[self._contexts[-1]].update(f"{file}:{line}" for _, _, line in code.co_lines() if line)

    def begin(self) -> None:
        """Record from here on."""
        threading.settrace(self._call)
        sys.settrace(self._call)

    def end(self) -> None:
        """Record no more."""
        sys.settrace(None)
        self._write()

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Iterator[None]:
        if fixturedef.scope == ALONE:
            return (yield)
        self._enter(f"fixture {fixturedef.argname}")
        try:
            return (yield)
        finally:
            self._leave()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Function) -> Iterator[None]:
        for value in list(vars(item.module).values()):
            if callable(clear := getattr(value, "cache_clear", None)):
                clear()  # what one test computes for others is computed by each of them here
        self._users[item.nodeid] = [f"fixture {name}" for name in item.fixturenames]
        self._enter(item.nodeid)
        begin = time.monotonic()
        try:
            return (yield)
        finally:
            self._seconds[item.nodeid] = time.monotonic() - begin
            self._leave()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed or report.skipped:
            self._failed.add(report.nodeid)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Write what is known so far."""
        if len(self._seconds) % 20 == 0:
            self._write()

    def _write(self) -> None:
        tests = dict(self._known["tests"])
        for test, contexts in self._users.items():
            places = set(self.lines[test]).union(*(self.lines.get(context, ()) for context in contexts))
            tests[test] = {"seconds": self._seconds.get(test, 0.0), "lines": sorted(places)}
        passed = {test: found for test, found in tests.items() if test not in self._failed}
        self._out.write_text(json.dumps({"tests": passed, "failed": sorted(self._failed)}), encoding="utf-8")
