"""A seeded sample of single-token changes, and those that no test of their room notices.

Run with ``python -m tests.mutants [--number 300] [--seed 1] [--room reduction]``, or ``make mutants``. The functions
that each test calls are recorded once; then each change is seen by the tests that call its function, quickest first, in
a forked process that has imported numpy and the like already. Prints the share that was noticed and the survivors, with
the reason where `equal.toml` has one; ends with an error where the share is below 92 %.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
import tomllib
from functools import partial
from pathlib import Path

from tests.mutants.change import Change, changes
from tests.mutants.child import in_child, run_tests, see, warm_up
from tests.mutants.choose import Chooser

ROOT = Path(__file__).parents[2]
ROOMS = ("reduction", "plans")
LEAST = 0.92
LEFT_OUT = ("reduction/shots/kernels/", "reduction/shots/warm_up.py")
"""Kernels of shots: their twins in numpy watch over them, and a change costs a minute of compiling."""
RECORDING = 1800.0
"""Seconds after which recording the lines of all tests is given up."""
EQUAL = Path(__file__).with_name("equal.toml")


def places(rooms: list[str]) -> list[tuple[Path, Change]]:
    """Every change of every source of some rooms."""
    sources = [path for room in rooms for path in sorted((ROOT / room).rglob("*.py"))]
    kept = [path for path in sources if not str(path.relative_to(ROOT)).startswith(LEFT_OUT)]
    return [(path, change) for path in kept for change in changes(path.read_text(encoding="utf-8"))]


def record(out: Path, rooms: list[str], longest: float) -> int:
    """Run the tests of the rooms that take up to `longest` seconds and write which functions each of them calls."""
    from tests.mutants.coverage import LinesOfTests

    return run_tests([f"tests/{room}" for room in rooms], [LinesOfTests(ROOT, ROOMS, out)], longest, stop=False)


def with_change(path: Path, change: Change, tests: list[str], timeout: float) -> int:
    """Run tests with one change."""
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    see(module, path, change.applied(path.read_text(encoding="utf-8")))
    return run_tests(tests, [], timeout, stop=True)


def is_noticed(path: Path, change: Change, chooser: Chooser, output: Path) -> bool:
    """Whether a test that runs the line fails with this change, or none of them ends: an endless loop is a fault."""
    tests = chooser.tests(path, change.line)
    if not tests:
        return False
    timeout = 20 + 5 * chooser.longest(tests)
    job = partial(with_change, path, change, tests, timeout)
    return in_child(job, output, 60 + 3 * chooser.seconds(tests)) != 0


def name(path: Path, change: Change) -> str:
    """A change by its source, the text of its line and its column in that text: what stays when lines move."""
    text = path.read_text(encoding="utf-8").splitlines()[change.line - 1]
    column = change.column - (len(text) - len(text.lstrip()))
    return f"{path.relative_to(ROOT)} | {text.strip()} | {column}: {change.old} -> {change.new}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--room", choices=ROOMS, action="append")
    parser.add_argument("--lines", type=Path, help="file with the recorded lines, used if it exists, else written")
    parser.add_argument("--skip", type=int, default=0, help="changes of the sample that were tried before")
    parser.add_argument("--backwards", action="store_true", help="begin with the last change of the sample")
    parser.add_argument("--longest", type=float, default=300.0, help="seconds of a test above which it is left out")
    parser.add_argument("--only", help="changes whose name contains this text, instead of a sample")
    asked = parser.parse_args()
    rooms = asked.room or list(ROOMS)
    found = places(rooms)
    sample = random.Random(asked.seed).sample(found, min(asked.number, len(found)))
    if asked.only:
        sample = [place for place in found if asked.only in name(*place)]
    warm_up()
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "output.txt"
        lines = asked.lines or Path(folder) / "lines.json"
        if not lines.exists():
            in_child(partial(record, lines, rooms, asked.longest), output, RECORDING)
        recorded = json.loads(lines.read_text(encoding="utf-8"))
        print(f"{len(recorded['tests'])} tests, {len(recorded['failed'])} failed or skipped", *recorded["failed"])
        rest = sample[asked.skip :]
        return judged(rest[::-1] if asked.backwards else rest, Chooser(ROOT, recorded["tests"]), output)


def judged(sample: list[tuple[Path, Change]], chooser: Chooser, output: Path) -> int:
    """Try each change, print what became of it; 0 if enough were noticed."""
    reasons = tomllib.loads(EQUAL.read_text(encoding="utf-8"))
    survivors = []
    for number, (path, change) in enumerate(sample, 1):
        begin = time.monotonic()
        noticed = is_noticed(path, change, chooser, output)
        seconds = time.monotonic() - begin
        print(f"{number}/{len(sample)} {'noticed ' if noticed else 'SURVIVES'} {seconds:5.1f} s", end=" ")
        print(f"{path.relative_to(ROOT)}:{change.line}:{change.column} {change.old} -> {change.new}", flush=True)
        if not noticed:
            reason = reasons.get(name(path, change), "no reason known")
            survivors.append(f"{name(path, change)}\n      line {change.line}: {reason}")
    share = 1 - len(survivors) / len(sample)
    print(f"{100 * share:.1f} % of {len(sample)} noticed", *survivors, sep="\n  ")
    return int(share < LEAST)


if __name__ == "__main__":
    sys.exit(main())
