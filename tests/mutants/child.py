"""Runs tests in a copy of this process that sees one source changed; the copy starts with all packages imported."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

PACKAGES = (
    "numpy", "scipy.linalg", "scipy.optimize", "scipy.interpolate", "scipy.special", "scipy.stats", "numba",
    "numba.core.caching", "lmfit", "bluesky", "bluesky.run_engine", "bluesky.plan_stubs", "event_model", "jsonschema",
    "pydantic", "pytest", "matplotlib", "msgpack", "h5py",
)  # fmt: skip
"""Imported once. Neither our own packages, of which one is changed, nor those that read the environment once."""


class ChangedSource(importlib.abc.MetaPathFinder, importlib.machinery.SourceFileLoader):
    """Imports one module from a changed text instead of its file."""

    def __init__(self, module: str, path: Path, text: str) -> None:
        super().__init__(module, str(path))
        self._text = text

    def find_spec(self, fullname: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self.path, loader=self)

    def get_code(self, fullname: str) -> Any:
        return compile(self._text, self.path, "exec", dont_inherit=True)


def warm_up() -> None:
    """Import the packages that tests use."""
    for package in PACKAGES:
        importlib.import_module(package)


def in_child(job: Callable[[], int], output: Path, seconds: float) -> int | None:
    """Exit code of a job in a forked process group; None if it was still running after `seconds` and was killed."""
    child = os.fork()
    if child == 0:
        os.setsid()
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, 1)
        os.dup2(file, 2)
        code = 70
        try:
            code = job()
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            _kill_group(child)  # processes that the tests started and left
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    _kill_group(child)
    os.waitpid(child, 0)
    return None


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


def run_tests(tests: Sequence[str], plugins: Sequence[object], timeout: float, *, stop: bool) -> int:
    """Run tests by their ids in this process; 0 if all pass."""
    import pytest

    arguments = [
        "-q",
        "--no-header",
        "-W",
        "ignore::pytest.PytestAssertRewriteWarning",
        "-p",
        "no:xdist",
        f"--timeout={timeout:.0f}",
        "-m",
        "not long",
        *tests,
    ]
    return int(pytest.main([*(["-x"] if stop else []), *arguments], plugins=list(plugins)))


def see(module: str, path: Path, text: str) -> None:
    """Make this process import a module from a changed text, and compile the kernels anew if it is one of them."""
    sys.meta_path.insert(0, ChangedSource(module, path, text))
    if path.stem == "kernels":
        from numba.core import caching

        caching.FunctionCache.load_overload = lambda *_: None
        caching.FunctionCache.save_overload = lambda *_: None
