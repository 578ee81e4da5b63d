"""Compiled kernels of older sources are forgotten: numba looks at the file of a kernel, not at those it calls."""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from pathlib import Path

HERE = Path(__file__).parent
KEPT = "kernels.sources"


def discard_stale_kernels(folder: Path = HERE) -> bool:
    """Remove what numba has kept of the kernels of a folder if any source of the folder has changed since.

    Without this a change in one file, pulled or edited, would not reach the kernels of another that use it: the numbers
    would go on being those of the old code. Kernels that are kept elsewhere (``NUMBA_CACHE_DIR``) are not looked at.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    bool
        Whether anything had changed.
    """
    cache = folder / "__pycache__"
    sources = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(folder.rglob("*.py"))]
    now = sha256(repr(sources).encode()).hexdigest()
    with suppress(OSError):  # nothing kept yet
        if (cache / KEPT).read_text() == now:
            return False
    with suppress(OSError):  # an installation that cannot be written is not edited either
        for compiled in folder.rglob("__pycache__/*.nb[ic]"):
            compiled.unlink(missing_ok=True)
        cache.mkdir(exist_ok=True)
        (cache / KEPT).write_text(now)
    return True
