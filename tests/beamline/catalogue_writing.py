"""A catalogue writer in the test's own process, and what it stores: Tiled is imported once for many tests."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from beamline.records.catalogue.copied import PLACE
from beamline.records.catalogue_writer.loop import CatalogueWriter
from tests.beamline.example_runs import Documents, raw_run, reduced_run

Announce = Callable[[Documents], None]
"""Writes documents to the journal."""
WITHOUT_PLACE = shutil.ignore_patterns(PLACE)
"""For copies of a catalogue that are to be opened: with its place it would be set aside."""
Open = Callable[[str | Path], Any]
"""Opens a catalogue that is closed after the test."""


def write_catalogue(root: Path, catalogue: str | Path, patience: float = 60.0) -> bool:
    """Fill the catalogue from the journal until everything is stored; False if something is left."""
    writer = CatalogueWriter(root, catalogue, linger=0.0)
    try:
        return writer.until_idle(lambda: False, patience)
    finally:
        writer.close()


def some_runs(count: int, events: int) -> list[Documents]:
    """Raw and reduced runs in turn."""
    return [
        raw_run(events, seed=seed) if seed % 2 == 0 else reduced_run(events // 4 + 1, energies=20, seed=seed)
        for seed in range(count)
    ]
