"""A pytest session that runs, for each change, the tests that call its function, in a fork of itself.

The session has imported everything and collected all tests; a fork has them too, changes one source in its memory, and
ends at the first test that fails.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.mutants.change import Change
from tests.mutants.choose import Chooser
from tests.mutants.coverage import LinesOfTests
from tests.mutants.patch import put_in

Place = tuple[Path, Change]
Job = Callable[[], int]
POOL = "ioc_pool"
"""Fixture of the tests that need a simulated beamline, each of which takes seconds: they are left out."""
RECORDING = 3600.0
"""Seconds after which recording is given up."""
BUDGET = 60.0
"""Seconds of tests, quickest first, that are run for one change; what only longer ones notice survives."""
PATIENCE, OTHERS = 4.0, 60.0
"""Times as long as they took before, and seconds on top, after which the tests of a change count as having noticed it:
an endless loop is a fault too."""


class MutantSession:
    """A pytest plugin that tries changes instead of running the tests once.

    Parameters
    ----------
    root : Path
        Of the sources.
    lines : Path
        File with the recorded lines; written if it does not exist.
    places : sequence of (Path, Change)
    judged : callable
        Called with each change and whether it was noticed.
    """

    def __init__(
        self, root: Path, lines: Path, places: Sequence[Place], judged: Callable[[Path, Change, bool, float], None]
    ) -> None:
        self._root, self._lines, self._places, self._judged = root, lines, places, judged
        self._failed = False

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if POOL not in getattr(item, "fixturenames", ())]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._failed |= report.failed

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        recorded = self._recorded()
        if missing := [item for item in session.items if item.nodeid not in {*recorded["tests"], *recorded["failed"]}]:
            code = _in_fork(lambda: self._record(session, missing, recorded), RECORDING)
            recorded = self._recorded()
            if code != 0:
                raise RuntimeError(f"recording ended with {code} after {len(recorded['tests'])} tests")
        print(f"{len(recorded['tests'])} tests, failed or skipped:", *recorded["failed"], flush=True)
        chooser = Chooser(self._root, recorded["tests"])
        for path, change in self._places:
            begin = time.monotonic()
            chosen = chooser.tests(path, change.line, BUDGET)
            tests = [items[test] for test in chosen if test in items]
            most = PATIENCE * chooser.seconds(chosen) + OTHERS
            code = _in_fork(lambda: self._try(path, change, tests), most) if tests else 0  # noqa: B023 called at once
            self._judged(path, change, code != 0, time.monotonic() - begin)
        return True

    def _recorded(self) -> dict[str, Any]:
        """What is known of the tests: of all, of some, or of none."""
        if not self._lines.exists():
            return {"tests": {}, "failed": []}
        return dict(json.loads(self._lines.read_text(encoding="utf-8")))

    def _record(self, session: pytest.Session, missing: Sequence[pytest.Item], known: dict[str, Any]) -> int:
        lines = LinesOfTests(self._root, ("reduction", "plans"), self._lines, known)
        session.config.pluginmanager.register(lines)
        lines.begin()
        for item, following in _pairs(missing):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        lines.end()
        return 0

    def _try(self, path: Path, change: Change, tests: Sequence[pytest.Item]) -> int:
        name = ".".join(path.relative_to(self._root).with_suffix("").parts)
        try:
            put_in(name, path, change.applied(path.read_text(encoding="utf-8")))
        except Exception:  # noqa: BLE001 a source that does not even import is noticed
            return 1
        for item, following in _pairs(tests):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self._failed:
                return 1
        return 0


def _pairs(items: Sequence[pytest.Item]) -> Iterator[tuple[pytest.Item, pytest.Item | None]]:
    return zip(items, [*items[1:], None], strict=True)


def _in_fork(job: Job, seconds: float) -> int | None:
    """Exit code of a job in a fork; None if it was still running after `seconds` and was killed."""
    child = os.fork()
    if child == 0:
        code = 70
        try:
            os.setsid()
            file = os.open(os.devnull, os.O_WRONLY)
            os.dup2(file, 1)
            os.dup2(file, 2)
            code = job()
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            os._exit(code)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            _kill_group(child)  # processes that the tests started and left
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    _kill_group(child)
    os.waitpid(child, 0)
    return None


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


def run(rooms: Sequence[str], plugin: MutantSession, longest: float) -> int:
    """Run the session over the tests of some rooms; tests of more than `longest` seconds fail."""
    arguments = ["-q", "-s", "--no-header", "-p", "no:xdist", "-m", "not long", f"--timeout={longest:.0f}"]
    sys.setrecursionlimit(3000)
    return int(pytest.main([*arguments, *(f"tests/{room}" for room in rooms)], plugins=[plugin]))
