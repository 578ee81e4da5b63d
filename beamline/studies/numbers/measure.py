"""All reduced numbers of one scenario."""

from __future__ import annotations

from collections.abc import Iterator

from beamline.studies.numbers.energy import alignment_results, energy_results
from beamline.studies.numbers.foil import foil_results
from beamline.studies.numbers.forward import Experiment
from beamline.studies.numbers.number import StudyResult
from beamline.studies.numbers.scenarios import StudyScenario
from beamline.studies.numbers.traces import delay_results, fluence_results
from reduction.errors import ReductionError

MEASUREMENTS = {
    "energy": energy_results, "delay": delay_results, "fluence": fluence_results, "alignment": alignment_results,
    "foil": foil_results,
}  # fmt: skip


def results_of(truth: StudyScenario, kinds: tuple[str, ...] = tuple(MEASUREMENTS)) -> Iterator[StudyResult | str]:
    """All results of one scenario; a text for each measurement that the reduction refused."""
    experiment = Experiment(truth)
    for kind in kinds:
        try:
            yield from MEASUREMENTS[kind](experiment)
        except (ReductionError, ValueError) as error:
            yield f"{kind}: {error}"
