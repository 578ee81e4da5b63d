"""The newest results of a journal, or of several, that the figures of the paper are made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from beamline.outputs.diffraction.content import COLD, BackgroundChoice, Image, read_patterns, windows_pattern
from beamline.outputs.export.errors import ExportError
from beamline.outputs.export.result import Result, read_result
from beamline.outputs.theory.content import Beside, beside, read_states
from beamline.outputs.thermal.content import Thermal, temperatures_of, thermal_of
from beamline.records.images import read_camera
from beamline.records.runs.run import Run, RunError
from beamline.records.runs.series import images_of, nearest_name, paths_by_temperature, series_named, sets_of_edge
from beamline.records.runs.store import JournalRuns, RunStore
from beamline.records.theory.description import read_theory
from plans.compilation.steps import STEP, is_image
from reduction.diffraction.pattern import PowderPattern
from reduction.documents.raw import DELAY_AXIS, ENERGY_AXIS, FLUENCE_AXIS, is_pumped
from reduction.theory.average import ComputedSpectrum
from reduction.thermal.varshni import Varshni

EDGES = ("Br_K", "Pb_L3")
"""In the order of the panels."""
REFERENCE = 25.0
VARSHNI = Varshni(-7.3e-5, 314.0)


@dataclass
class PaperResults:
    """What was found.

    Attributes
    ----------
    spectra : list of Result
        Energy scans with the laser, one for each edge and delay.
    traces, fluences : list of Result
        Delay and fluence scans, one for each edge.
    thermal : dict of str to Thermal
        Temperature series by edge.
    theory : Beside or None
    ground : ComputedSpectrum or None
        Its ground state as computed.
    images : list of Image
        Less the straight background of the one at 35 degC, as in the paper.
    windows : PowderPattern or None
        Of the cell without sample.
    missing : dict of str to str
        Why something is not there, by what it is.
    """

    spectra: list[Result] = field(default_factory=list)
    traces: list[Result] = field(default_factory=list)
    fluences: list[Result] = field(default_factory=list)
    thermal: dict[str, Thermal] = field(default_factory=dict)
    theory: Beside | None = None
    ground: ComputedSpectrum | None = None
    images: list[Image] = field(default_factory=list)
    windows: PowderPattern | None = None
    missing: dict[str, str] = field(default_factory=dict)

    def spectra_of(self, edge: str) -> list[Result]:
        """Energy scans of one edge, the shortest delay first."""
        mine = [result for result in self.spectra if result.start.get("edge") == edge]
        return sorted(mine, key=lambda result: result.slot_delays[0])


def collect(
    roots: Sequence[Path], theory: Path | None = None, geometry: Path | None = None, windows: Path | None = None
) -> PaperResults:
    """Find the newest results in data roots.

    Parameters
    ----------
    roots : sequence of Path
    theory : Path, optional
        TOML file that names computed spectra.
    geometry : Path, optional
        Geometry of the area detector (.poni).
    windows : Path, optional
        Image of the cell without sample.

    Raises
    ------
    beamline.records.runs.run.RunError
        If a file is invalid.
    """
    found = PaperResults()
    listed = [(store, store.runs()) for store in map(JournalRuns, roots)]
    for store, runs in listed:
        _scans(store, runs, found)
    for store, runs in listed:  # onto the energies of the scans
        _series(store, runs, found, geometry, windows)
    if theory is None:
        found.missing["theory"] = "no computed spectra: give --theory FILE.toml"
    else:
        _theory(found, theory)
    return found


def _scans(store: RunStore, runs: list[Run], found: PaperResults) -> None:
    """Results of the newest scan set of each kind, edge and delay."""
    lists = {ENERGY_AXIS: found.spectra, DELAY_AXIS: found.traces, FLUENCE_AXIS: found.fluences}
    for scan_set, axis in _newest_sets(runs):
        try:
            lists[axis].append(read_result(store, runs, scan_set))
        except (ExportError, RunError) as error:
            found.missing[f"scan set {scan_set[:8]}"] = str(error)
    for scans in lists.values():
        scans.sort(
            key=lambda result: EDGES.index(result.start["edge"]) if result.start["edge"] in EDGES else len(EDGES)
        )


def _newest_sets(runs: list[Run]) -> Iterator[tuple[str, str]]:
    newest: dict[tuple[str, str, float], str] = {}
    for run in runs:
        start = run.start
        axis = str(start.get("scan_axis", ENERGY_AXIS))
        if run.raw_uid is None and run.scan_set and "edge" in start and STEP not in start and is_pumped(start):
            delay = float(start.get("pump_delay", 0.0)) if axis == ENERGY_AXIS else 0.0
            newest[axis, str(start["edge"]), delay] = run.scan_set
    yield from ((scan_set, axis) for (axis, _, _), scan_set in newest.items())


def _series(store: RunStore, runs: list[Run], found: PaperResults, geometry: Path | None, windows: Path | None) -> None:
    """The newest temperature series with spectra, and its images."""
    raw = [run for run in runs if run.raw_uid is None and STEP in run.start and not is_image(run.start)]
    if not raw:
        return
    members = series_named(runs, raw[-1].series)
    for edge in dict.fromkeys(str(run.start["edge"]) for run in members if not is_image(run.start)):
        try:
            results = [read_result(store, runs, scan_set) for scan_set in sets_of_edge(members, edge)]
            pumped = found.spectra_of(edge)
            beside_light = pumped[0] if pumped else None
            found.thermal[edge] = thermal_of(results, temperatures_of(results, None), REFERENCE, VARSHNI, beside_light)
        except (ExportError, RunError) as error:
            found.missing[f"temperatures of {edge}"] = str(error)
    pictures = images_of(store, members)
    if geometry is None or not pictures:
        found.missing["images"] = "no geometry of the camera: give --geometry CAMERA.poni" if pictures else "no images"
        return
    camera = read_camera(geometry, pictures[0].energy)
    choice = BackgroundChoice("si", line_of=nearest_name(pictures, COLD))
    found.images = read_patterns(paths_by_temperature(pictures), camera, [], choice=choice)
    found.windows = None if windows is None else windows_pattern(windows, camera)


def _theory(found: PaperResults, path: Path) -> None:
    """Computed spectra beside the spectrum of their edge with the shortest delay."""
    described = read_theory(path)
    spectra = found.spectra_of(described.edge)
    if not spectra:
        found.missing["theory"] = f"no spectrum of {described.edge}, of which the computed spectra are"
        return
    try:
        states = read_states(described, path.parent)
        found.theory, found.ground = beside(spectra[0], described, states), states.ground
    except ExportError as error:
        found.missing["theory"] = str(error)
