"""Logs are written by threads of their own: tests that read them wait for those."""

from __future__ import annotations

import gc
from pathlib import Path

from beamline.station.logs import FOLDER, RotatingLog


def handlers(name: str) -> list[RotatingLog]:
    """Of all logs of this name that are open."""
    found = [each for each in gc.get_objects() if isinstance(each, RotatingLog)]
    return [each for each in found if each._thread.is_alive() and Path(each._file.baseFilename).stem == name]


def log_text(root: Path, name: str) -> str:
    """All of a log below a data root, once it is written."""
    for handler in handlers(name):
        handler.flush()
    return (root / FOLDER / f"{name}.log").read_text()
