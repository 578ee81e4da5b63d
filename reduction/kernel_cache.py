"""Cache of compiled kernels: valid while no source of the reduction changes; unreadable ones are recompiled."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from numba import config, njit
from numba.core.caching import FunctionCache, IndexDataCacheFile

logger = logging.getLogger(__name__)
Kernel = TypeVar("Kernel", bound=Callable[..., Any])
numba_config: Any = config  # its entries are made at import, from the environment
ROOM = Path(__file__).parent


def kernel(**options: Any) -> Callable[[Kernel], Kernel]:
    """`numba.njit` with a cache on disk that follows the sources; takes the options of `numba.njit`.

    By itself numba checks only the source file of a kernel, not those of the kernels that it calls: after a change
    there the cache would still return the numbers of the old code.
    """

    def compiled(function: Kernel) -> Kernel:
        dispatcher = njit(**options)(function)
        dispatcher._cache = SourceCache(function)
        return dispatcher  # type: ignore[no-any-return]

    return compiled


class KernelFiles(IndexDataCacheFile):  # type: ignore[misc]
    """Compiled overloads of one kernel in the folder of this user, and those of an installation that others have made.

    What the installation lacks, or has for another processor, is kept in the folder of the user.
    """

    def __init__(self, own: Path, installed: Path, name: str, stamp: str) -> None:
        super().__init__(str(own), name, stamp)
        self._installed = IndexDataCacheFile(str(installed), name, stamp)

    def load(self, key: Any) -> Any:
        """The compiled kernel; None if neither has it."""
        found = super().load(key)
        if found is None:
            with suppress(OSError):  # there is no such folder, or it is for others alone
                found = self._installed.load(key)
        return found


class SourceCache(FunctionCache):  # type: ignore[misc]
    """Compiled overloads of one kernel, discarded when a source has changed and recompiled when unreadable."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        folder = Path(function.__code__.co_filename).parent
        stamp = sources_digest(ROOM if folder.is_relative_to(ROOM) else folder)
        installed = folder / "__pycache__" if not numba_config.CACHE_DIR else Path(self.cache_path)
        self._cache_file = KernelFiles(Path(self.cache_path), installed, self._impl.filename_base, stamp)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled kernel; None makes numba compile it."""
        try:
            return super().load_overload(sig, target_context)
        except Exception as error:  # noqa: BLE001 an empty, truncated or foreign file may raise anything
            logger.warning("the cached kernel of %s cannot be read (%s) and is compiled again", self, error)
            with suppress(OSError):
                self.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Store a compiled kernel, if the disk has room."""
        try:
            super().save_overload(sig, data)
        except OSError as error:
            logger.warning("the compiled kernel of %s cannot be cached (%s)", self, error)


@lru_cache
def sources_digest(folder: Path) -> str:
    """Digest of all sources in a folder and its subfolders."""
    digest = sha256()
    for path in sorted(folder.rglob("*.py")):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder)} {len(content)}\n".encode() + content)
    return digest.hexdigest()
