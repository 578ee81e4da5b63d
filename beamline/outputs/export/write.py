"""Writes results in the requested formats, one file each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from beamline.formatting import format_delay
from beamline.outputs.export.about import require_energy_scan
from beamline.outputs.export.beamline_info import BeamlineInfo
from beamline.outputs.export.errors import ExportError
from beamline.outputs.export.names import file_in, written_whole
from beamline.outputs.export.result import Result

Writer = Callable[[Path, Result, BeamlineInfo], Path]

ONLY_SPECTRA = ("xdi", "athena")
FIGURES = ("png", "pdf")
SUFFIXES = {"csv": ".csv", "xdi": ".xdi", "nexus": ".nxs", "athena": ".prj", "png": ".png", "pdf": ".pdf"}
"""File name suffixes by format."""


def formats_of(text: str) -> list[str]:
    """Formats from a comma-separated list.

    Raises
    ------
    ExportError
        Naming unknown formats.
    """
    wanted = list(dict.fromkeys(part.strip().lower() for part in text.split(",") if part.strip()))
    if unknown := [part for part in wanted if part not in SUFFIXES]:
        raise ExportError(f"{', '.join(unknown)}: unknown format; available are {', '.join(SUFFIXES)}")
    if not wanted:
        raise ExportError(f"name a format: {', '.join(SUFFIXES)}")
    return wanted


def write_results(
    results: Sequence[Result], formats: Sequence[str], folder: Path, beamline_info: BeamlineInfo, **of_figures: Any
) -> list[Path]:
    """Write each result in each format; figures show all results together. Returns the files, in order.

    `of_figures` is passed to `beamline.outputs.export.paper.paper_figure`.

    Raises
    ------
    ExportError
        If a format cannot hold a result, or the folder is not writable; no partial file remains.
    """
    for result in results:
        if unfit := [each for each in formats if each in ONLY_SPECTRA]:
            require_energy_scan(result, unfit[0])
    written = []
    for kind in formats:
        if kind in FIGURES:
            written.append(_write_figure(results, kind, folder, of_figures))
            continue
        for result in results:
            path = file_in(folder, *_parts(result), suffix=SUFFIXES[kind])
            with written_whole(path) as draft:
                _writer(kind)(draft, result, beamline_info)
            written.append(path)
    return written


def _parts(result: Result) -> list[str]:
    """Parts of a file name."""
    start = result.start
    what = [start.get("sample", ""), start.get("edge", "")]
    delay = format_delay(start.get("pump_delay")).replace(" ", "") or "no-laser"
    what.append(delay if "energy" in result.data else result.axis)
    number = start.get("scan_id")
    return [str(each) for each in (*what, f"scan{number}" if number is not None else "", start["uid"][:8])]


def _writer(kind: str) -> Writer:
    """The writer of a format, whose libraries are imported on demand."""
    if kind == "csv":
        from beamline.outputs.export.csv_file import write_csv

        return lambda path, result, _: write_csv(path, result)
    if kind == "xdi":
        from beamline.outputs.export.xdi import write_xdi

        return write_xdi
    if kind == "nexus":
        from beamline.outputs.export.nexus import write_nexus

        return write_nexus
    from beamline.outputs.export.athena import write_athena

    return lambda path, result, _: write_athena(path, result)


def _write_figure(results: Sequence[Result], kind: str, folder: Path, of_figures: Mapping[str, Any]) -> Path:
    from beamline.outputs.export.paper import paper_figure, save_figure

    several = [f"and{len(results) - 1}more"] if len(results) > 1 else []
    path = file_in(folder, *_parts(results[0]), *several, suffix=SUFFIXES[kind])
    figure = paper_figure(results, **of_figures)
    with written_whole(path) as draft:
        save_figure(figure, draft, results)
    return path
