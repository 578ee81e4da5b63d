"""A file of computed spectra, or the TOML that names it, that cannot be used."""

from __future__ import annotations

from beamline.records.runs.run import RunError


class TheoryError(RunError):
    """The message names the file and the way out."""
