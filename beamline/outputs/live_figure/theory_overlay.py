"""Computed spectra behind the live spectra: fitted anew after each pass, with the numbers of `trxas theory`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from beamline.formatting import printable
from beamline.outputs.export.errors import ExportError
from beamline.outputs.export.result import read_result
from beamline.outputs.live_figure.scan import LiveScan
from beamline.outputs.theory.content import Beside, States, beside, read_states
from beamline.records.runs.journal_runs import JournalRuns
from beamline.records.runs.run import RunError
from beamline.records.runs.search import runs_named
from beamline.records.theory.description import Theory, read_theory
from reduction.theory.fit import ModelFit

Array = NDArray[np.float64]
NOTHING: Array = np.empty(0)


class TheoryOverlay:
    """Ground state and most likely model of a theory, drawn behind the scan shown.

    Parameters
    ----------
    root : Path
        Data root of the journal.
    theory : Theory
    states : States
    """

    def __init__(self, root: Path, theory: Theory, states: States) -> None:
        self._root, self._theory, self._states = root, theory, states
        self._of: tuple[str, int] | None = None
        self._found: Beside | None = None
        self._why = ""

    @classmethod
    def from_file(cls, root: Path, path: Path) -> TheoryOverlay:
        """Read a theory and the files that it names.

        Raises
        ------
        beamline.records.theory.errors.TheoryError
        """
        theory = read_theory(path)
        return cls(root, theory, read_states(theory, path.parent))

    @property
    def title(self) -> str:
        """What is drawn."""
        return f"computed spectra, {self._theory.edge}"

    def static(self, scan: LiveScan) -> tuple[Array, Array, str]:
        """Energies (keV), the computed ground state in edge integrals, and a label; empty with the reason in it."""
        found = self._fitted(scan)
        if found is None:
            return NOTHING, NOTHING, f"{self.title}: {printable(self._why)}"
        return found.placed.energy, found.ground, _in_words(_best(found))

    def transient(self, scan: LiveScan) -> tuple[Array, Array]:
        """Energies (keV) and the difference of the most likely model times its fraction, in edge integrals."""
        found = self._fitted(scan)
        if found is None:
            return NOTHING, NOTHING
        best = _best(found)
        return found.placed.energy, best.amplitude * found.differences[best.name]

    def _fitted(self, scan: LiveScan) -> Beside | None:
        """The fit to the result of the scan so far; once a pass."""
        now = str((scan.start or {}).get("scan_set")), scan.spectrum_passes
        if now != self._of:
            self._of, self._found, self._why = now, None, ""
            try:
                store = JournalRuns(self._root)
                result = read_result(store, runs_named(store, [now[0]]), now[0])
                self._found = beside(result, self._theory, self._states)
            except (ExportError, RunError) as error:
                self._why = str(error)
        return self._found


def _best(found: Beside) -> ModelFit:
    return max(found.fits, key=lambda fit: fit.log_likelihood)


def _in_words(fit: ModelFit) -> str:
    return (
        f"computed ground state; {printable(fit.name)}: {100 * fit.amplitude:.2f} +- {100 * fit.stddev:.2f} %"
        f" of the sample, p-value {fit.p_value:.2g}"
    )
