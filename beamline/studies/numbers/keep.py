"""Results of scenarios in a file, so that a long study can be stopped and go on, or run in parts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from beamline.studies.numbers.number import Number, StudyResult
from beamline.studies.numbers.table import Found, study


def kept_study(
    path: Path | None,
    scenarios: int,
    first: int,
    jobs: int,
    run: Callable[[Sequence[int], int], Iterator[Found]] = study,
) -> Iterator[Found]:
    """Results of each scenario: those of the file, then the others, each added to the file when it is known.

    Lines of JSON; one that was cut off counts as not there. Without a file all are run.
    """
    wanted = range(first, first + scenarios)
    if path is None:
        yield from run(wanted, jobs)
        return
    known = {seed: found for seed, found in _read(path) if seed in wanted}
    yield from known.values()
    missing = [seed for seed in wanted if seed not in known]
    with path.open("a", encoding="utf-8") as file:
        for seed, found in zip(missing, run(missing, jobs), strict=True):
            plain = [one if isinstance(one, str) else asdict(one) for one in found]
            file.write("\n" + json.dumps([seed, plain]))
            file.flush()
            yield found


def _read(path: Path) -> Iterator[tuple[int, Found]]:
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            seed, plain = json.loads(line)
        except ValueError:
            continue
        yield seed, [one if isinstance(one, str) else _result(one) for one in plain]


def _result(plain: dict[str, list[dict[str, float]]]) -> StudyResult:
    numbers = tuple(Number(**one) for one in plain["numbers"])  # type: ignore[arg-type]
    return StudyResult(str(plain["kind"]), str(plain["reference"]), tuple(map(str, plain["notes"])), numbers)
