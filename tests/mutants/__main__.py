"""A seeded sample of single-token changes, room by room, and those that no test of the room notices.

Run with ``python -m tests.mutants [--number 300] [--seed 1] [--room reduction]``, or ``make mutants``. Each change is
made in a copy of the tree; tests that name the changed module run first. Prints the share that was noticed and the
survivors; ends with an error where it is below 92 %.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.mutants.change import Change, changes

ROOT = Path(__file__).parents[2]
ROOMS = ("reduction", "plans")
LEAST = 0.92
LEFT_OUT = ("kernels", "kernel_cache", "warm_up")
"""Sources that are compiled: their twins in numpy watch over them, and a change costs a minute of compiling."""
SECONDS = 600.0
"""After which tests count as having noticed: an endless loop is a fault too."""


def sources(room: str) -> list[Path]:
    """Sources of a room that changes are made in."""
    found = sorted((ROOT / room).rglob("*.py"))
    return [path for path in found if not set(path.with_suffix("").parts) & set(LEFT_OUT)]


def tests_for(source: Path) -> list[str]:
    """Tests of the room of a source: first those that name its module."""
    room = source.relative_to(ROOT).parts[0]
    module = ".".join(source.relative_to(ROOT).with_suffix("").parts)
    tests = sorted((ROOT / "tests" / room).glob("test_*.py"))
    naming = [path for path in tests if module in path.read_text(encoding="utf-8")]
    return [str(path.relative_to(ROOT)) for path in [*naming, *(path for path in tests if path not in naming)]]


def is_noticed(copy: Path, source: Path, change: Change) -> bool:
    """Whether a test of the room fails with this change."""
    target = copy / source.relative_to(ROOT)
    original = target.read_text(encoding="utf-8")
    target.write_text(change.applied(original), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-m", "not long", "-p", "no:randomly", *tests_for(source)]
    surroundings = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, cwd=copy, env=surroundings, capture_output=True, timeout=SECONDS, check=False)
        return done.returncode != 0
    except subprocess.TimeoutExpired:
        return True
    finally:
        target.write_text(original, encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--room", choices=ROOMS, action="append")
    options = parser.parse_args()
    changes = [
        (path, change)
        for room in options.room or ROOMS
        for path in sources(room)
        for change in changes(path.read_text(encoding="utf-8"))
    ]
    sample = random.Random(options.seed).sample(changes, min(options.number, len(changes)))
    survivors = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "tree"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".venv", ".git", "build", "demo_output"))
        for number, (path, change) in enumerate(sample, 1):
            noticed = is_noticed(copy, path, change)
            where = f"{path.relative_to(ROOT)}:{change.line}: {change.old} -> {change.new}"
            print(f"{number}/{len(sample)} {'noticed ' if noticed else 'SURVIVES'} {where}", flush=True)
            if not noticed:
                survivors.append(where)
    share = 1 - len(survivors) / len(sample)
    print(f"{100 * share:.1f} % of {len(sample)} noticed", *survivors, sep="\n  ")
    return int(share < LEAST)


if __name__ == "__main__":
    sys.exit(main())
