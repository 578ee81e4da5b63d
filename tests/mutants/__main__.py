"""A seeded sample of single-token changes, and those that no test of their room notices.

Run with ``python -m tests.mutants [--number 300] [--seed 1] [--room reduction]``, or ``make mutants``. The functions
that each test calls are recorded once; then each change is seen by the tests that call its function, quickest first.
Prints the share that was noticed and the survivors; ends with an error where the share is below 92 %. Changes that
`equal.toml` gives a reason for count as survivors, and are not tried.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import tomllib
from functools import cache
from hashlib import sha256
from pathlib import Path

from tests.mutants.change import Change, changes
from tests.mutants.session import MutantSession, run

ROOT = Path(__file__).parents[2]
ROOMS = ("reduction", "plans")
LEAST = 0.92
LEFT_OUT = ("reduction/shots/kernels/", "reduction/shots/warm_up.py")
"""Kernels of shots: their twins in numpy watch over them, and a change costs a minute of compiling."""
EQUAL = Path(__file__).with_name("equal.toml")


def places(rooms: list[str]) -> list[tuple[Path, Change]]:
    """Every change of every source of some rooms."""
    sources = [path for room in rooms for path in sorted((ROOT / room).rglob("*.py"))]
    kept = [path for path in sources if not str(path.relative_to(ROOT)).startswith(LEFT_OUT)]
    return [(path, change) for path in kept for change in changes(path.read_text(encoding="utf-8"))]


def drawn(found: list[tuple[Path, Change]], number: int, seed: int) -> list[tuple[Path, Change]]:
    """A sample by the hashes of names: where sources change elsewhere, it stays the same."""
    return sorted(found, key=lambda place: sha256(f"{seed} {name(*place)}".encode()).digest())[:number]


@cache
def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def name(path: Path, change: Change) -> str:
    """A change by its source, the text of its line and its column in that text: what stays when lines move."""
    text = _lines(path)[change.line - 1]
    column = change.column - (len(text) - len(text.lstrip()))
    return f"{path.relative_to(ROOT)} | {text.strip()} | {column}: {change.old} -> {change.new}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--room", choices=ROOMS, action="append")
    parser.add_argument("--lines", type=Path, help="file with the recorded lines, used if it exists, else written")
    parser.add_argument("--skip", type=int, default=0, help="changes of the sample that were tried before")
    parser.add_argument("--longest", type=float, default=300.0, help="seconds of a test above which it is left out")
    parser.add_argument("--only", action="append", help="changes whose name contains this text, instead of a sample")
    asked = parser.parse_args()
    rooms = asked.room or list(ROOMS)
    found = places(rooms)
    sample = drawn(found, asked.number, asked.seed)[asked.skip :]
    if asked.only:
        sample = [place for place in found if any(text in name(*place) for text in asked.only)]
    reasons = tomllib.loads(EQUAL.read_text(encoding="utf-8"))
    noticed: list[tuple[Path, Change]] = []
    survivors = [place for place in sample if name(*place) in reasons]
    tried = [place for place in sample if name(*place) not in reasons]

    def judged(path: Path, change: Change, is_noticed: bool, seconds: float) -> None:
        (noticed if is_noticed else survivors).append((path, change))
        word, number = "noticed " if is_noticed else "SURVIVES", len(noticed) + len(survivors)
        print(
            f"{number}/{len(sample)} {word} {seconds:5.1f} s {path.name}:{change.line}: {name(path, change)}",
            flush=True,
        )

    with tempfile.TemporaryDirectory() as folder:
        lines = asked.lines or Path(folder) / "lines.json"
        run(rooms, MutantSession(ROOT, lines, tried, judged), asked.longest)
    return summed_up(len(noticed), survivors, reasons)


def summed_up(noticed: int, survivors: list[tuple[Path, Change]], reasons: dict[str, str]) -> int:
    """Print the share and the survivors; 0 if enough were noticed."""
    total = noticed + len(survivors)
    print(f"{100 * noticed / max(total, 1):.1f} % of {total} noticed")
    for path, change in survivors:
        print(f"  {name(path, change)}\n      line {change.line}: {reasons.get(name(path, change), 'no reason known')}")
    return int(noticed < LEAST * total)


if __name__ == "__main__":
    sys.exit(main())
