"""How soon `trxas shell` shows its prompt, and the session is there: ``python -m tests.benchmarks.time_to_prompt``.

Each shell is a process in a terminal of its own, as a user starts it; once with a simulated beamline of its own, once
against one that runs already.
"""

from __future__ import annotations

import os
import pty
import re
import select
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 3
WANTED_S = 5.0
SHELL = [sys.executable, "-c", "from beamline.app.cli import main; main()", "shell"]


def main() -> None:
    from beamline.session.simulators import simulated_beamline

    report("trxas shell --sim", ["--sim"], {})
    with simulated_beamline(None, 10.0) as environment:
        report("trxas shell, servers running", [], environment)
    print(f"wanted: a prompt within {WANTED_S:g} s")


def report(title: str, options: list[str], environment: dict[str, str]) -> None:
    """Print the median and the longest of both times."""
    times = [one_shell(options, environment) for _ in range(RUNS)]
    prompt, ready = (sorted(each) for each in zip(*times, strict=True))
    for what, found in (("prompt", prompt), ("session ready", ready)):
        print(f"{title}: {what} after {statistics.median(found):.1f} s (longest of {RUNS}: {found[-1]:.1f} s)")


def one_shell(options: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Seconds to the prompt, and to the session, of one shell."""
    ours, theirs = pty.openpty()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "trxas_data").mkdir()
        output = '{"said": {"users": ["nobody"]}, "configured": {"sample": "CsPbBr3 nanocrystals (simulated)"}}'
        (Path(folder) / "trxas_data" / "session.json").write_text(output)  # nothing is asked
        began = time.perf_counter()
        surroundings = {**os.environ, **environment, "TERM": "dumb", "PYTHONPATH": str(Path(__file__).parents[2])}
        process = subprocess.Popen(
            [*SHELL, *options], stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, env=surroundings
        )
        os.close(theirs)
        prompt = _seen(ours, r"SIM \[1\]: ", began)
        ready = _seen(ours, r"Ready after ", began)
        os.write(ours, b"exit\r")
        while process.poll() is None:
            _read(ours)
        os.close(ours)
    return prompt, ready


def _seen(terminal: int, pattern: str, began: float, text: str = "") -> float:
    while not re.search(pattern, text):
        text += _read(terminal)
    return time.perf_counter() - began


def _read(terminal: int) -> str:
    if not select.select([terminal], [], [], 0.05)[0]:
        return ""
    try:
        return os.read(terminal, 65536).decode(errors="replace")
    except OSError:  # the other side has gone
        return ""


if __name__ == "__main__":
    main()
