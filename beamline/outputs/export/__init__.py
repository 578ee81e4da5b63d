"""Export of reduced results to files for other programs: one module per format."""

from __future__ import annotations

from beamline.outputs.export.csv_file import write_spectrum_csv

__all__ = ["write_spectrum_csv"]
