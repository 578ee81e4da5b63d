"""Rotating logs below the data root, a line an entry."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

FOLDER = "log"


def rotating_log(root: Path, name: str, size: int = 1_000_000, files: int = 5) -> logging.Logger:
    """A log of its own: a file that is put aside when it has `size` bytes, of which `files` are kept.

    `close_log` closes it.
    """
    path = root / FOLDER / f"{name}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(path, maxBytes=size, backupCount=files, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logger = logging.Logger(name, logging.INFO)  # outside of the tree: nobody else's handlers or levels
    logger.addHandler(handler)
    return logger


def close_log(logger: logging.Logger) -> None:
    """Close the files of a log."""
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
