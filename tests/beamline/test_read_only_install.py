"""A read-only installation and home: kernels are compiled into NUMBA_CACHE_DIR."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("beamline", "devices", "plans", "reduction")
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1
COMPILE = """
from reduction.live.reducer import LiveReducer
LiveReducer(lambda name, doc: None).warm_up()
import reduction
print("FROM", reduction.__file__)
"""


def obey_permissions() -> None:
    """From the next program on, root is bound by the permissions of files as everybody is."""
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


def python(where: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if key not in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME")}
    return subprocess.run(
        [sys.executable, *arguments], env={**kept, "PYTHONPATH": str(where / "code"), **environment}, cwd=where,
        capture_output=True, text=True, timeout=240, preexec_fn=obey_permissions,
    )  # fmt: skip


@pytest.mark.long
def test_kernels_compile_into_numba_cache_dir(tmp_path: Path) -> None:
    code, home, cache = (tmp_path / name for name in ("code", "home", "cache"))
    for room in ROOMS:
        shutil.copytree(ROOT / room, code / room, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in (home, cache):
        folder.mkdir()
    before = sorted(code.rglob("*"))
    for path in [home, code, *before]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        probe = python(tmp_path, "-c", f"open({str(code / 'x')!r}, 'w')")
        if "Permission denied" not in probe.stderr:
            pytest.skip("permissions do not bind this user, and cannot be made to")
        doctor = ["-c", "from beamline.app.doctor.machine import check_compiled as c; print(c().state, c().todo)"]
        output = python(tmp_path, *doctor, HOME=str(home))
        assert output.stdout.startswith("bad Set NUMBA_CACHE_DIR"), output.stderr
        done = python(tmp_path, "-c", COMPILE, HOME=str(home), NUMBA_CACHE_DIR=str(cache))
        assert done.returncode == 0 and f"FROM {code}" in done.stdout, done.stderr
        assert list(cache.rglob("*.nbi")) and sorted(code.rglob("*")) == before
    finally:
        for path in [home, code, *before]:
            path.chmod(0o755 if path.is_dir() else 0o644)
