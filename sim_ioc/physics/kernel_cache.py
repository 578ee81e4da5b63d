"""Compiled kernels of the simulator, valid while no source beside them changes; unreadable ones are compiled again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from numba import config, njit
from numba.core.caching import FunctionCache, IndexDataCacheFile

numba_config: Any = config  # its entries are made at import, from the environment


def kernel(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit` with a cache that an empty or cut-off file, or a full disk, does not stop."""

    def compiled(function: Callable[..., Any]) -> Any:
        dispatcher = njit(**options)(function)
        dispatcher._cache = _Kept(function)
        return dispatcher

    return compiled


class _Files(IndexDataCacheFile):  # type: ignore[misc]
    """Kernels in the folder of this user, and those of an installation that this user may not write."""

    def __init__(self, own: Path, installed: Path, name: str, stamp: str) -> None:
        super().__init__(str(own), name, stamp)
        self._installed = IndexDataCacheFile(str(installed), name, stamp)

    def load(self, key: Any) -> Any:
        found = super().load(key)
        if found is None:
            with suppress(OSError):  # there is no such folder, or it is for others alone
                found = self._installed.load(key)
        return found


class _Kept(FunctionCache):  # type: ignore[misc]
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        folder, own = Path(function.__code__.co_filename).parent, Path(self.cache_path)
        installed = own if numba_config.CACHE_DIR else folder / "__pycache__"
        self._cache_file = _Files(own, installed, self._impl.filename_base, _sources_digest(folder))

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # noqa: BLE001 whatever a damaged file may raise
            with suppress(OSError):
                self.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        with suppress(OSError):
            super().save_overload(sig, data)


@lru_cache
def _sources_digest(folder: Path) -> str:
    """Digest of the sources beside a kernel: those of a copy, or of an older installation, differ in their dates."""
    digest = sha256()
    for path in sorted(folder.glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
