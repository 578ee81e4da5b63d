"""Discards numba's cache when sources change: numba checks the file of a kernel, not the files of those it calls."""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from pathlib import Path

HERE = Path(__file__).parent
FINGERPRINT = "kernels.sources"
"""File with the hash of the sources that the cache was compiled from."""


def discard_stale_kernels(folder: Path = HERE) -> bool:
    """Delete the compiled kernels of a folder if any source in it has changed since.

    Otherwise a change in one file would not reach kernels of another file that call it: they would keep returning the
    numbers of the old code. A cache in another place (``NUMBA_CACHE_DIR``) is not checked.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    bool
        Whether a source had changed.
    """
    cache = folder / "__pycache__"
    sources = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(folder.rglob("*.py"))]
    now = sha256(repr(sources).encode()).hexdigest()
    with suppress(OSError):  # no cache yet
        if (cache / FINGERPRINT).read_text() == now:
            return False
    with suppress(OSError):  # an installation without write permission is not edited either
        for compiled in folder.rglob("__pycache__/*.nb[ic]"):
            compiled.unlink(missing_ok=True)
        cache.mkdir(exist_ok=True)
        (cache / FINGERPRINT).write_text(now)
    return True
