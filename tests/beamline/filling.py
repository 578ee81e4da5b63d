"""A filler in the test's own process: Tiled is imported once for many tests."""

from __future__ import annotations

from pathlib import Path

from beamline.records.catalogue_writer.loop import Filler


def fill(root: Path, catalogue: str | Path, patience: float = 60.0) -> bool:
    """Fill the catalogue from the journal until everything is stored; False if something is left."""
    filler = Filler(root, catalogue, linger=0.0)
    try:
        return filler.until_idle(lambda: False, patience)
    finally:
        filler.close()
