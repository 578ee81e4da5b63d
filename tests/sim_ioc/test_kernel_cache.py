"""Compiled kernels of the simulator: those of an installation serve all its users, and follow its sources."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = "from sim_ioc.physics.kernel_cache import kernel\n\n\n@kernel()\ndef number():\n    return {}\n"
UNWRITABLE = "from numba.core.caching import InTreeCacheLocator as c; c.from_function = classmethod(lambda *_: None); "
ASK = "import called; print(called.number(), 'kept' if called.number.stats.cache_hits else 'compiled')"


def answer(folder: Path, before: str = "") -> list[str]:
    """What the kernel gives in a process of its own, and whether it was compiled."""
    kept = {key: value for key, value in os.environ.items() if key != "NUMBA_CACHE_DIR"}
    places = os.pathsep.join([str(folder), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-c", before + ASK], capture_output=True, text=True, check=True,
        env={**kept, "PYTHONPATH": places, "PYTHONDONTWRITEBYTECODE": "1", "XDG_CACHE_HOME": str(folder / "home")},
    )  # fmt: skip
    return done.stdout.split()


def test_kernels_of_an_installation_serve_who_may_not_write_there(tmp_path: Path) -> None:
    source = tmp_path / "called.py"
    source.write_text(SOURCE.format(3))
    assert answer(tmp_path) == ["3", "compiled"]
    os.utime(source, (1, 1))  # a copy has another date
    assert answer(tmp_path, UNWRITABLE) == ["3", "kept"]
    source.write_text(SOURCE.format(5))
    assert answer(tmp_path, UNWRITABLE) == ["5", "compiled"]
    assert answer(tmp_path, UNWRITABLE) == ["5", "kept"]
