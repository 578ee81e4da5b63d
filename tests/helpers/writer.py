"""Command line of a catalogue writer, as a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path


def writer_command(root: Path, catalogue: str | Path, *options: str) -> list[str]:
    """Command that copies the journal of a data root into a catalogue."""
    command = [sys.executable, "-W", "ignore", "-m", "beamline.records.catalogue_writer", "--journal", str(root)]
    return [*command, "--catalogue", str(catalogue), *options]
