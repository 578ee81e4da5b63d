"""The command line for a user: processes, one-line errors, nothing left running."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from rich.console import Console
from typer import BadParameter

from beamline.app.commands.environment import beamline_environment
from beamline.session.simulators import SimulatorError, simulated_beamline
from tests.beamline.config_files import write_config
from tests.helpers.ports import free_port

TRXAS = [sys.executable, "-c", "from beamline.app.cli import main; main()"]


def trxas(*arguments, cwd=None, text=None):
    """Run the command line with the environment of a new terminal."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("EPICS_")}
    clean["PYTHONPATH"] = str(Path(__file__).parents[2])
    return subprocess.run(
        [*TRXAS, *arguments], capture_output=True, text=True, input=text, cwd=cwd, env=clean, timeout=120
    )


@pytest.mark.parametrize(
    ("arguments", "phrase"),
    [
        (("shell", "--config", "nowhere"), "no configuration file nowhere"),
        (("demo", "--scenario", "nowhere"), "nowhere"),
        (("shell", "--speedup", "0"), "speedup"),
        (("nonsense",), "No such command 'nonsense'"),
    ],
)
def test_errors_are_one_line_and_debug_shows_the_traceback(tmp_path, arguments, phrase):
    done = trxas(*arguments, cwd=tmp_path)
    assert done.returncode != 0
    assert phrase in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert "Traceback" in trxas("--debug", *arguments, cwd=tmp_path).stderr


def test_a_simulator_that_cannot_start_reports_why(tmp_path):
    scenario = tmp_path / "bad.toml"
    scenario.write_text("[ring]\nbunches = 3\n")
    with pytest.raises(SimulatorError, match=r"unknown key 'ring\.bunches'"), simulated_beamline(scenario, 10.0):
        pass


def test_the_simulator_ends_with_its_block():
    with simulated_beamline("demo", 100.0) as environment:
        port = environment["EPICS_CA_SERVER_PORT"]
        listening = Path("/proc/net/tcp").read_text()
        assert f"0100007F:{int(port):04X}" in listening
    assert f"0100007F:{int(port):04X}" not in [
        line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:] if line.split()[3] == "0A"
    ]


def test_a_shell_runs_a_scan_and_leaves_nothing_behind(tmp_path):
    lines = (
        "r = RE(energy_scan(energies=[13.45, 13.46, 13.472, 13.5, 13.57], dwell=0.5))\n"
        'RE(energy_scan(edge="Br"))\n'
        'print("EVENTS", session.reducer.spectrum().dwells.sum())\n'
        "exit\n"
    )
    done = trxas("shell", "--sim", "--speedup", "100", cwd=tmp_path, text=lines)
    assert done.returncode == 0, done.stderr
    assert "EVENTS 20" in done.stdout and "SIM [" in done.stdout
    assert "ValueError: edge 'Br' is no element and edge such as Fe_K" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    ours = [command for command in _commands() if str(tmp_path) in command]
    assert not ours


def _commands():
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                yield (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue


def test_ioc_serves_until_interrupted(tmp_path):
    from beamline.session.simulators import loopback_environment

    with loopback_environment() as environment:
        process = subprocess.Popen(
            [*TRXAS, "ioc", "--scenario", "demo"],
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ready")
        os.killpg(process.pid, signal.SIGINT)
        output, _ = process.communicate(timeout=20)
    assert process.returncode == 0 and "Traceback" not in output


def test_ioc_lists_every_pv_with_type_unit_limits_and_meaning(tmp_path):
    done = trxas("ioc", "--list", "--prefix", "sim:", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line.split(None, 6) for line in done.stdout.splitlines()}
    assert all(name.startswith("sim:") and len(row) == 7 for name, row in rows.items())
    assert rows["sim:7ida:BraggEAO"][1:] == ["DOUBLE", "1", "keV", "6..24", "rw", "energy setpoint"]
    table = (Path(__file__).parents[2] / "docs" / "reference" / "pvs.md").read_text(encoding="utf-8")
    documented = {line.split("`")[1] for line in table.splitlines() if line.startswith("| `")}
    assert documented == set(rows)


def test_a_command_serves_the_repeater_port_of_its_environment(tmp_path: Path) -> None:
    """Without a repeater libca tries to start one, and reports on the prompt that it cannot."""
    port = free_port()
    register = struct.pack(">HHHHI4s", 24, 0, 0, 0, 0, bytes((127, 0, 0, 1)))
    with (
        mock.patch.dict(os.environ, {"EPICS_CA_REPEATER_PORT": str(port)}),
        beamline_environment(str(write_config(tmp_path)), False, None, 1.0, Console()),
        socket.socket(type=socket.SOCK_DGRAM) as client,
    ):
        client.settimeout(10)
        client.sendto(register, ("127.0.0.1", port))
        confirmed = client.recv(64)
    assert struct.unpack(">H", confirmed[:2]) == (17,)


def test_a_scenario_without_a_simulated_beamline_is_refused(tmp_path: Path) -> None:
    """Ignored, it would be another beamline than the one asked for."""
    without_sim = beamline_environment(str(write_config(tmp_path)), False, "demo", 1.0, Console())
    with pytest.raises(BadParameter, match="add --sim"), without_sim:
        pass


def test_csv_and_figure_of_a_spectrum(tmp_path):
    from PIL import Image

    from beamline.outputs.export import write_spectrum_csv
    from beamline.outputs.figure import save, spectrum_figure

    energy = np.linspace(13.45, 13.57, 20)
    rng = np.random.default_rng(1)
    data = {"energy": energy, "static": energy - 13.4, "static_stddev": np.full(20, 0.01)}
    for key in ("on", "off", "transient"):
        data[key], data[f"{key}_stddev"] = rng.standard_normal((5, 20)), np.full((5, 20), 0.1)
    start = {"uid": "5eed", "analysis_of": "abc", "mode": "sim", "sample": "two\nlines", "settings": {"a": 1}}
    path = write_spectrum_csv(tmp_path / "s.csv", data, start)
    lines = path.read_text().splitlines()
    assert "# sample: two lines" in lines and "# mode: sim" in lines
    header = next(n for n, line in enumerate(lines) if not line.startswith("#"))
    table = np.loadtxt(path, delimiter=",", skiprows=header + 1)
    columns = lines[header].split(",")
    np.testing.assert_array_equal(table[:, columns.index("transient_slot3")], data["transient"][3])
    with_mark = save(spectrum_figure(data, start, [f"{n} ns" for n in range(5)], data), tmp_path / "a.png")
    real = save(
        spectrum_figure(data, {**start, "mode": "real"}, [f"{n} ns" for n in range(5)], None), tmp_path / "b.png"
    )
    marked, plain = (np.asarray(Image.open(p).convert("RGB")).astype(int) for p in (with_mark, real))
    orange = (np.abs(marked - [213, 94, 0]).sum(axis=-1) < 60).sum()
    assert orange > (np.abs(plain - [213, 94, 0]).sum(axis=-1) < 60).sum() + 100  # SIMULATED DATA stands on it
