"""Compiled kernels, kept as long as no source of the reduction changes, and compiled again when they cannot be read."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from numba import njit
from numba.core.caching import FunctionCache, IndexDataCacheFile

logger = logging.getLogger(__name__)
Kernel = TypeVar("Kernel", bound=Callable[..., Any])
ROOM = Path(__file__).parent


def kernel(**options: Any) -> Callable[[Kernel], Kernel]:
    """`numba.njit` with a cache on disk that follows the sources; takes the options of `numba.njit`.

    By itself numba looks at the file of a kernel alone, not at those of the kernels that it calls: a change there would
    not reach it, and the numbers would go on being those of the old code, wherever the cache lies.
    """

    def compiled(function: Kernel) -> Kernel:
        dispatcher = njit(**options)(function)
        dispatcher._cache = SourceCache(function)
        return dispatcher  # type: ignore[no-any-return]

    return compiled


class SourceCache(FunctionCache):  # type: ignore[misc]
    """What numba has compiled of one kernel: of these very sources, or forgotten; unreadable, or compiled again."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        folder = Path(function.__code__.co_filename).parent
        stamp = sources_digest(ROOM if folder.is_relative_to(ROOM) else folder)
        self._cache_file = IndexDataCacheFile(self.cache_path, self._impl.filename_base, stamp)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled kernel, or None: then numba compiles it."""
        try:
            return super().load_overload(sig, target_context)
        except Exception as error:  # noqa: BLE001 whatever an empty, cut-off or foreign file may raise
            logger.warning("the kept kernel of %s cannot be read (%s) and is compiled again", self, error)
            with suppress(OSError):
                self.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled kernel, if there is room."""
        try:
            super().save_overload(sig, data)
        except OSError as error:
            logger.warning("the compiled kernel of %s cannot be kept (%s)", self, error)


@lru_cache
def sources_digest(folder: Path) -> str:
    """Of the content of all sources of a folder and of those in it."""
    digest = sha256()
    for path in sorted(folder.rglob("*.py")):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder)} {len(content)}\n".encode() + content)
    return digest.hexdigest()
