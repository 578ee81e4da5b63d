"""Edges of the plans of a session: entries of configuration and proposal, and the main feature as measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from beamline.config.edges import EdgeEntry, configured_edge
from beamline.records.runs.journal_runs import JournalRuns
from beamline.records.runs.newest import last_event
from beamline.records.runs.run import Run
from plans.compilation.compiled_scan import CompiledScan
from plans.compilation.edges import Edge, coarse, find_edges
from plans.compilation.grid import checked_grid
from reduction.documents.raw import ENERGY_AXIS, is_pumped
from reduction.documents.streams import STREAM_OF_AXIS, has_result

LEAST_SIGMA = 5.0
"""Standard deviations by which a transient must differ from 0 to be a main feature: of a hundred points of noise, the
largest is at 3."""


@dataclass(frozen=True)
class EdgeBook:
    """The edges of a session.

    Attributes
    ----------
    root : Path
        Data root, with the journal and the file of the proposal.
    entries : mapping of EdgeEntry
        Those of the configuration.
    energy_limits : tuple of float, optional
        Limits of the configuration for the energy, keV.
    """

    root: Path
    entries: Mapping[str, EdgeEntry] = field(default_factory=dict)
    energy_limits: tuple[float, float] | None = None

    def resolve(self, edge: Any) -> Any:
        """Names, one or a sequence, replaced by edges.

        Raises
        ------
        ValueError
        """
        if isinstance(edge, Sequence) and not isinstance(edge, str):
            return [self.resolve(each) for each in edge]
        return configured_edge(edge, self.entries, self.root)

    def with_main_feature(self, edge: Edge, sample: str) -> Edge:
        """The edge with the energy of its main feature, from the journal where no entry has it.

        Raises
        ------
        ValueError
            If no energy scan of the sample shows it.
        """
        if edge.main_feature is not None:
            return edge
        return replace(edge, main_feature=largest_transient(self.root, edge.name, sample))

    def refuse_outside(self, compiled: CompiledScan) -> None:
        """Refuse energies outside the limits of the configuration.

        Raises
        ------
        ValueError
        """
        if self.energy_limits is None:
            return
        low, high = self.energy_limits
        for one in compiled.passes:
            energies = [here.energy for here in one.positions if here.energy is not None]
            if energies and not low <= min(energies) <= max(energies) <= high:
                raise ValueError(
                    f"edge {one.start.get('edge')} needs energies from {min(energies):g} to {max(energies):g} keV, and"
                    f" the monochromator is kept within {low:g} to {high:g} keV by the [limits] of the configuration"
                )


def note_on_grid(edges: Any, energies: Any) -> str:
    """What is to be said of a user's own energies before a scan: that they are too coarse; empty otherwise."""
    if energies is None or len(found := find_edges(edges)) != 1:
        return ""
    why = coarse(checked_grid(energies), found[0].e0, found[0].core_hole_width, found[0].integral)
    return f"{found[0].name}: {why}." if why else ""


def largest_transient(root: Path, edge: str, sample: str) -> float:
    """Energy (keV) of the largest transient of slot 0 in the newest energy scan of a sample.

    Raises
    ------
    ValueError
        If there is no such scan, or its transient is not significant.
    """
    newest = _newest_spectrum(root, edge, sample)
    if newest is None:
        raise ValueError(
            f"the main feature of {edge} is not known, and no energy scan of {sample or 'this sample'} is there to find"
            f" it in: give the energy in keV, main_feature in [edges.{edge}], or scan the edge first"
        )
    uid, data = newest
    energy, transient, stddev = (
        np.asarray(data[key], dtype=np.float64) for key in ("energy", "transient", "transient_stddev")
    )
    transient, stddev = next(pair for pair in zip(transient, stddev, strict=True) if np.isfinite(pair[0]).any())
    with np.errstate(invalid="ignore", divide="ignore"):
        significant = np.abs(transient) > LEAST_SIGMA * stddev
    if not significant.any():
        raise ValueError(
            f"the main feature of {edge} is not known: no transient of its newest energy scan ({uid[:8]}) is"
            f" above {LEAST_SIGMA:g} standard deviations; add passes to it, or give the energy in keV"
        )
    return float(energy[int(np.nanargmax(np.where(significant, np.abs(transient), np.nan)))])


def _newest_spectrum(root: Path, edge: str, sample: str) -> tuple[str, Mapping[str, Any]] | None:
    """Uid and data of the newest spectrum of an edge and sample that can be read."""
    journal = JournalRuns(root)
    of_sample = journal.where(lambda run: _is_spectrum(run, edge, sample))
    for run in reversed([run for run in of_sample if is_pumped(run.start) and has_result(run.stop)]):
        if (data := last_event(list(journal.documents(run.uid)), STREAM_OF_AXIS[ENERGY_AXIS])) is not None:
            return run.uid, data
    return None


def _is_spectrum(run: Run, edge: str, sample: str) -> bool:
    """Whether a run is a reduced energy scan of an edge and sample, by its entries in the index."""
    start = run.start
    return (
        run.raw_uid is not None
        and start.get("scan_axis", ENERGY_AXIS) == ENERGY_AXIS
        and (start.get("edge"), start.get("sample", "")) == (edge, sample)
    )
