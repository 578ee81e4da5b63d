"""A change in one source reaches the compiled kernels of the others."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from reduction.shots.kernel_cache import discard_stale_kernels

CALLED = "from numba import njit\n\n\n@njit(cache=True)\ndef factor():\n    return {}\n"
CALLER = (
    "from numba import njit\nfrom called import factor\n\n\n@njit(cache=True)\ndef twice():\n    return 2 * factor()\n"
)


def answer(folder: Path, look: bool) -> int:
    """What the kernel gives in a process of its own; `look` forgets stale ones first."""
    forget = (
        "from reduction.shots.kernel_cache import discard_stale_kernels; import pathlib;"
        f" discard_stale_kernels(pathlib.Path({str(folder)!r}));"
    )
    code = f"{forget if look else ''}import caller; print(caller.twice())"
    places = os.pathsep.join([str(folder), str(Path(__file__).parents[2])])
    environment = {**os.environ, "PYTHONPATH": places, "PYTHONDONTWRITEBYTECODE": ""}
    environment.pop("NUMBA_CACHE_DIR", None)
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return int(told.stdout)


def test_a_kernel_follows_a_change_in_a_file_that_it_uses(tmp_path: Path) -> None:
    (tmp_path / "called.py").write_text(CALLED.format(3))
    (tmp_path / "caller.py").write_text(CALLER)
    assert answer(tmp_path, look=True) == 6
    (tmp_path / "called.py").write_text(CALLED.format(50))
    assert answer(tmp_path, look=False) == 6  # numba by itself
    assert answer(tmp_path, look=True) == 100


def test_what_is_of_the_present_sources_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("")
    assert discard_stale_kernels(tmp_path)
    kept = tmp_path / "__pycache__" / "a.f-1.py311.nbi"
    kept.write_bytes(b"compiled")
    assert not discard_stale_kernels(tmp_path)
    assert kept.exists()
    (tmp_path / "b.py").write_text("")
    assert discard_stale_kernels(tmp_path)
    assert not kept.exists()


def test_where_nothing_can_be_kept_nothing_fails(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("")
    (tmp_path / "__pycache__").write_text("no folder")
    assert discard_stale_kernels(tmp_path)
