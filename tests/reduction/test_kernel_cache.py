"""Compiled kernels follow every source, wherever they are kept, and damage of the cache stops nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CALLED = "from reduction.kernel_cache import kernel\n\n\n@kernel()\ndef factor():\n    return {}\n"
CALLER = (
    "from reduction.kernel_cache import kernel\nfrom called import factor\n\n\n"
    "@kernel()\ndef twice():\n    return 2 * factor()\n"
)
COUNT = "; print(caller.twice.stats.cache_hits and 'kept' or 'compiled')"


def answer(folder: Path, **environment: str) -> list[str]:
    """What the kernel gives in a process of its own, and whether it was compiled."""
    places = os.pathsep.join([str(folder), str(ROOT)])
    surroundings = {**os.environ, "PYTHONPATH": places, "PYTHONDONTWRITEBYTECODE": "1", **environment}
    if not environment:
        surroundings.pop("NUMBA_CACHE_DIR", None)
    code = f"import caller; print(caller.twice()){COUNT}"
    done = subprocess.run([sys.executable, "-c", code], env=surroundings, capture_output=True, text=True, check=True)
    return done.stdout.split()


def beside(folder: Path) -> dict[str, str]:
    return {}


def elsewhere(folder: Path) -> dict[str, str]:
    """A folder that a user names for all of numba."""
    return {"NUMBA_CACHE_DIR": str(folder / "kept")}


def fallback(folder: Path) -> dict[str, str]:
    """An installation that cannot be written: numba goes to the user's own folder."""
    (folder / "__pycache__").write_text("no folder")
    return {"XDG_CACHE_HOME": str(folder / "home")}


@pytest.fixture(params=[elsewhere, *(pytest.param(each, marks=pytest.mark.long) for each in (beside, fallback))])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "called.py").write_text(CALLED.format(3))
    (tmp_path / "caller.py").write_text(CALLER)
    where: Callable[[Path], dict[str, str]] = request.param
    return where(tmp_path)


def test_a_kernel_follows_a_change_in_a_file_that_it_uses(place: dict[str, str], tmp_path: Path) -> None:
    assert answer(tmp_path, **place) == ["6", "compiled"]
    assert answer(tmp_path, **place) == ["6", "kept"]
    (tmp_path / "called.py").write_text(CALLED.format(5))
    assert answer(tmp_path, **place) == ["10", "compiled"]
    assert answer(tmp_path, **place) == ["10", "kept"]


def test_a_cache_that_cannot_be_read_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "called.py").write_text(CALLED.format(3))
    (tmp_path / "caller.py").write_text(CALLER)
    place = elsewhere(tmp_path)
    assert answer(tmp_path, **place) == ["6", "compiled"]
    for kind, left in (("nbi", 0), ("nbi", 40), ("nbc", 0), ("nbc", 40)):
        damaged = list((tmp_path / "kept").rglob(f"*.{kind}"))
        assert damaged
        for path in damaged:
            path.write_bytes(path.read_bytes()[:left])
        assert answer(tmp_path, **place) == ["6", "compiled"], (kind, left)
    assert answer(tmp_path, **place) == ["6", "kept"]


def test_every_kernel_of_the_program_follows_the_sources() -> None:
    for room in ("reduction", "beamline", "devices", "plans", "sim_ioc"):
        for path in (ROOT / room).rglob("*.py"):
            if path.name != "kernel_cache.py":
                assert "njit" not in path.read_text(encoding="utf-8"), path
