"""Rotating logs below the data root, a line an entry."""

from __future__ import annotations

import logging
import os
from logging.handlers import RotatingFileHandler
from pathlib import Path

FOLDER = "log"


class SizedFile(RotatingFileHandler):
    """A file that is put aside once it is full: a line costs one look at its size, no second text and no search."""

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802
        """Whether the file is full."""
        if self.stream is None:
            self.stream = self._open()
        return os.fstat(self.stream.fileno()).st_size >= self.maxBytes


def rotating_log(root: Path, name: str, size: int = 1_000_000, files: int = 5) -> logging.Logger:
    """A log of its own: a file that is put aside when it has `size` bytes, of which `files` are kept.

    `close_log` closes it.
    """
    path = root / FOLDER / f"{name}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = SizedFile(path, maxBytes=size, backupCount=files, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logger = logging.Logger(name, logging.INFO)  # outside of the tree: nobody else's handlers or levels
    logger.addHandler(handler)
    return logger


def close_log(logger: logging.Logger) -> None:
    """Close the files of a log."""
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
