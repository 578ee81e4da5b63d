"""Settings of two runs compared: `trxas compare --settings`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from typer.testing import CliRunner

from beamline.app import cli
from tests.beamline.example_runs import Documents, raw_run, uid_of_run


def compared(root: Path, one: Documents, other: Documents, *options: str) -> list[list[str]]:
    names = (uid_of_run(one)[:8], uid_of_run(other)[:8])
    done = CliRunner().invoke(cli.app, ["compare", "--settings", *names, *options, "--data", str(root)])
    assert done.exit_code == 0, done.output + str(done.exception)
    return [line.split() for line in done.output.splitlines()]


def test_start_configuration_and_readings_are_compared(announce: Callable[[Documents], None], tmp_path: Path) -> None:
    one, other = raw_run(4, sample="A", pattern=[0, 1]), raw_run(4, sample="B", pattern=[0, 1], target=1e-3)
    for name, doc in other:
        if name == "descriptor":
            doc["configuration"]["soft"]["data"]["soft_t0"] = 171.5
        elif name == "event" and "ring_current" in doc["data"]:
            doc["data"]["ring_current"] = 102.05  # 0.05 %: less than the tolerance
    for run in (one, other):
        announce(run)
    rows = compared(tmp_path, one, other)
    assert [row for row in rows[1:] if len(row) == 3] == [
        ["sample", "A", "B"], ["soft_t0", "169.78", "171.5"], ["target", "-", "0.001"],
    ]  # fmt: skip
    finer = compared(tmp_path, one, other, "--tolerance", "1e-4")
    assert ["ring_current", "102", "102.05"] in finer
    assert "no difference" in " ".join(compared(tmp_path, one, one)[0])
