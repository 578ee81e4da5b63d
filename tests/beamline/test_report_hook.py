"""A report that is passed to another program."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from beamline.app import cli
from beamline.config.models import ConfigurationError, load
from tests.beamline.example_runs import uid_of_run
from tests.beamline.raw_scans import acquire, scan_set_of


def test_a_report_is_passed_on_without_a_shell(tmp_path: Path) -> None:
    (scan,) = scan_set_of(1)
    acquire(tmp_path, [scan])
    program, got = tmp_path / "client", tmp_path / "got"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{got}"\necho entry 17\nexit ${{FAIL:-0}}\n')
    program.chmod(stat.S_IRWXU)
    config = tmp_path / "config.toml"
    source = Path("beamline/config/configurations/simulated.toml").read_text()
    out = tmp_path / "a report; $(touch pwned).html"

    def send(hook: list[str]) -> Result:
        config.write_text(f"{source}\n[report]\nhook = {json.dumps(hook)}\n")
        options = ["--out", str(out), "--send", "--config", str(config), "--data", str(tmp_path)]
        return CliRunner().invoke(cli.app, ["report", uid_of_run(scan), *options])

    done = send([str(program), "-a", "{title}"])
    assert "entry 17" in done.output, done.output
    assert got.read_text().splitlines() == ["-a", "trxas report, SIMULATED, 1 run (1 runs by name)", str(out)]
    send([str(program), "-f", "{file}", "text"])
    assert got.read_text().splitlines() == ["-f", str(out), "text"]
    program.write_text("#!/bin/sh\necho no such logbook >&2\nexit 3\n")
    failed = send([str(program)])
    assert "exit status 3" in str(failed.exception) and "no such logbook" in str(failed.exception) and out.exists()
    assert "cannot be started" in str(send(["/no/such/elog"]).exception)
    assert not list(tmp_path.rglob("pwned"))
    assert "needs a program" in CliRunner().invoke(cli.app, ["report", "--send", "--data", str(tmp_path)]).output


def test_a_hook_without_a_program_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f"{Path('beamline/config/configurations/simulated.toml').read_text()}\n[report]\nhook = ['']\n")
    with pytest.raises(ConfigurationError, match=r"report\.hook: the first text is the program"):
        load(config)
