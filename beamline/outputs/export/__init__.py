"""Reduced results as files that other programs open: one module a format."""

from __future__ import annotations

from beamline.outputs.export.csv_file import write_spectrum_csv, write_trace_csv

__all__ = ["write_spectrum_csv", "write_trace_csv"]
