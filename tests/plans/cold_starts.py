"""Whole cold starts without Channel Access, and a table of what they end with.

    python -m tests.plans.cold_starts 0 40

prints one line a seed, then how many ended within the limits, which finding stopped the others, how many said good and
were wrong, and how often the quoted intervals hold the truth.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

import numpy as np

from sim_ioc.scenario.scenario import parse_scenario
from tests.plans.cold_beamline import STEPS, ColdBeamline

LIMITS: Mapping[str, float] = {
    "time_zero": 5.0,
    "along": 3.0,
    "across": 3.0,
    "energy": 0.05,
    "crystal": 1.0,
    "focus": 1.0,
}
"""ps, um, eV, urad, mm; each of the errors of a cold start that ended well is below its own."""
LONGEST = 30.0
"""Minutes of beam."""
DONE = "done"
ADVICE = ("flux",)
"""Doubts about it stop nothing."""


@dataclass
class ColdStart:
    """What became of one cold start.

    Attributes
    ----------
    seed : int
    end : str
        ``done``, or the step that stopped it with the reason.
    minutes : float
        Of beam.
    errors : dict of str to float
        What was set in the end, minus the truth.
    wrong : list of str
        What is beyond its limit although its finding was good and set.
    pulls : dict of str to float
        Error of each value when it was found, over the quoted one.
    """

    seed: int
    end: str
    minutes: float
    errors: dict[str, float]
    wrong: list[str] = field(default_factory=list)
    pulls: dict[str, float] = field(default_factory=dict)

    @property
    def is_right(self) -> bool:
        """Whether it went through, in time, and everything is within its limits."""
        return self.end == DONE and not self.wrong and self.minutes < LONGEST

    def line(self) -> str:
        """One line of the table."""
        errors = "  ".join(f"{self.errors[name]:+9.3f}" for name in LIMITS)
        return f"{self.seed:5d}  {self.minutes:7.1f}  {errors}  {'; '.join([self.end, *self.wrong])}"


def start(seed: int, break_it: Callable[[ColdBeamline], None] = lambda _: None, **changes: Any) -> ColdStart:
    """One cold start from the drawn settings to the last finding, or to the first that is not set."""
    beamline = ColdBeamline(parse_scenario({"seed": seed, "cold": {}, "transmission": {}, **changes}))
    break_it(beamline)
    end, made, pulls = DONE, set[str](), dict[str, float]()
    for step in STEPS:
        begun = beamline.clock.time
        for _ in range(2):  # as commission() does
            found = beamline.run(step)
            if not beamline.outcome.startswith("went back"):
                break
        if beamline.outcome != "set" and step not in ADVICE:
            end = f"{step}: {beamline.outcome} ({found.reason})"
            break
        if beamline.outcome != "set":
            continue
        made.add(step)
        pulls.update(beamline.pulls(step, found, 0.5 * (begun + beamline.clock.time)))
    return ColdStart(seed, end, beamline.clock.time / 60, beamline.errors(), _wrong(beamline, made), pulls)


def _wrong(beamline: ColdBeamline, made: set[str]) -> list[str]:
    """What is wrong although it was set by a good finding."""
    errors = beamline.errors()
    found = [name for name, limit in LIMITS.items() if _finding(name) in made and not abs(errors[name]) < limit]
    found += ["sign"] if "time_zero" in made and errors["sign"] else []
    found += [name for name in ("threshold", "gate") if name in made and not beamline.is_right(name)]
    return [f"{name} is wrong" for name in found]


def _finding(name: str) -> str:
    return "overlap" if name in ("along", "across") else name


def summary(starts: list[ColdStart]) -> str:
    """How many ended well, why the others did not, and coverage of the intervals."""
    stopped = Counter(each.end.split(":")[0] for each in starts if each.end != DONE)
    late = sum(each.minutes >= LONGEST for each in starts)
    lines = [
        f"{sum(each.is_right for each in starts)} of {len(starts)} within all limits in less than {LONGEST:g} min",
        f"stopped: {dict(stopped) or 'none'}; good and wrong: {sum(bool(each.wrong) for each in starts)};"
        f" longer than {LONGEST:g} min: {late};"
        f" beam time {np.median([each.minutes for each in starts]):.1f} min (median)",
    ]
    for name in dict.fromkeys(name for each in starts for name in each.pulls):
        pulls = np.abs([each.pulls[name] for each in starts if name in each.pulls])
        one, two = (f"{100 * (pulls < width).mean():.0f}" for width in (1, 1.96))
        half = 100 * sqrt(0.68 * 0.32 / pulls.size)
        lines.append(f"{name}: {one} % within the 68 % interval (+- {half:.0f}), {two} % within that of 95 %")
    return "\n".join(lines)


def main() -> None:
    """Run the seeds of the command line."""
    first, end = (int(each) for each in sys.argv[1:3])
    print(" seed  beam/min  " + "  ".join(f"{name:>9}" for name in LIMITS), flush=True)
    starts = []
    for seed in range(first, end):
        begun = time.process_time()
        starts.append(start(seed))
        print(starts[-1].line(), f"({time.process_time() - begun:.0f} s)", flush=True)
    print(summary(starts))


if __name__ == "__main__":
    main()
