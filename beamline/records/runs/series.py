"""The parts of a temperature series among stored runs: spectra of an edge, images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from beamline.records.runs.find import LAST
from beamline.records.runs.run import Run, RunError
from beamline.records.runs.store import RunStore
from plans.compilation.steps import STEP, is_image

FILE_KEY = "_file"
"""What the data key of the path of an image ends with."""


@dataclass(frozen=True)
class SeriesImage:
    """An image of a series: temperature (degC) and energy (keV) of its run, and its file."""

    temperature: float
    energy: float
    path: Path


def series_named(runs: Sequence[Run], name: str) -> list[Run]:
    """Raw runs of a temperature series, by the beginning of its uid or of that of one of its runs, or ``last``.

    Empty if the name is that of another run, or of none.

    Raises
    ------
    RunError
        If several series begin so.
    """
    members = [run for run in runs if run.raw_uid is None and STEP in run.start]
    if name == LAST:
        raw = [run for run in runs if run.raw_uid is None]
        found = {raw[-1].series} if raw and raw[-1] in members else set()
    else:
        found = {run.series for run in members if name and run.series.startswith(name)}
    if len(found) > 1:
        raise RunError(f"series {name!r} is ambiguous: give more of it; it could be {', '.join(sorted(found))}")
    return [run for run in members if run.series in found]


def sets_of_edge(members: Sequence[Run], edge: str) -> list[str]:
    """Scan sets of one edge in the order of the temperatures.

    Raises
    ------
    RunError
        If the series has several edges and none is named, or not the one that is.
    """
    spectra = [run for run in members if not is_image(run.start)]
    edges = list(dict.fromkeys(str(run.start["edge"]) for run in spectra))
    if (not edge and len(edges) != 1) or (edge and edge not in edges):
        raise RunError(f"the series has {' and '.join(edges) or 'no spectra'}: name one with --edge")
    ordered = sorted(spectra, key=lambda run: int(run.start[STEP]))
    return list(dict.fromkeys(str(run.scan_set) for run in ordered if run.start["edge"] == (edge or edges[0])))


def images_of(store: RunStore, members: Sequence[Run]) -> list[SeriesImage]:
    """Good images of a series in the order of the temperatures; of each the last one."""
    found = []
    for run in sorted((each for each in members if is_image(each.start)), key=lambda each: int(each.start[STEP])):
        data = [doc["data"] for name, doc in store.documents(run.uid) if name == "event"]
        paths = [each[key] for each in data if each.get("quality") == "good" for key in each if key.endswith(FILE_KEY)]
        if paths:
            start = run.start
            found.append(SeriesImage(float(start["temperature"]), float(start["probe_energy"]), Path(paths[-1])))
    return found


def paths_by_temperature(images: Sequence[SeriesImage]) -> dict[str, Path]:
    """Files of the images by the names that they are shown by: number and temperature."""
    return {f"{number}: {each.temperature:g} degC": each.path for number, each in enumerate(images, start=1)}


def nearest_name(images: Sequence[SeriesImage], temperature: float) -> str:
    """The name, as of `paths_by_temperature`, of the image nearest to a temperature (degC); empty without images."""
    if not images:
        return ""
    far = [abs(each.temperature - temperature) for each in images]
    return list(paths_by_temperature(images))[far.index(min(far))]
