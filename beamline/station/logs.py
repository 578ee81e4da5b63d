"""Rotating logs below the data root, one line per entry."""

from __future__ import annotations

import logging
import os
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from beamline.config.own_files import open_own

FOLDER = "log"


class SizedFile(RotatingFileHandler):
    """Rotates a file by its size, checked by one fstat per line; the standard handler formats each line twice."""

    def _open(self) -> TextIOWrapper:
        """The file at this name, if it is one of ours."""
        descriptor = open_own(Path(self.baseFilename), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        return open(descriptor, "a", encoding=self.encoding)  # noqa: PTH123

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802
        """Whether the file is full."""
        if self.stream is None:
            self.stream = self._open()
        return os.fstat(self.stream.fileno()).st_size >= self.maxBytes


def rotating_log(root: Path, name: str, size: int = 1_000_000, files: int = 5) -> logging.Logger:
    """A separate log that is rotated at `size` bytes and keeps `files` old files. Close it with `close_log`."""
    path = root / FOLDER / f"{name}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = SizedFile(path, maxBytes=size, backupCount=files, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logger = logging.Logger(name, logging.INFO)  # outside the logger hierarchy: no inherited handlers or levels
    logger.addHandler(handler)
    return logger


def close_log(logger: logging.Logger) -> None:
    """Close the files of a log."""
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
