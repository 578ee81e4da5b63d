"""What a user's machine may be like: figure styles, terminals, byte-order marks, names of folders and samples."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from beamline.app.commands.stored import configuration as stored_configuration
from beamline.config.models import ConfigurationError, Reduction, load
from beamline.outputs.figure import save
from beamline.records.catalogue.client import close_catalogue, open_catalogue
from beamline.session.scans.bind import BoundPlan
from beamline.session.scans.dry_run import DryRunContext
from beamline.session.scans.preview import save_preview
from tests.beamline.catalogue_writing import write_catalogue
from tests.beamline.config_files import simulated_text
from tests.beamline.raw_scans import acquire, scan_set_of

RC = "text.usetex : True\ntext.latex.preamble : \\nonsense\nfont.size : 99\nsavefig.format : nonsense\n"


def run(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", "from beamline.app.cli import main; main()", *arguments]
    path = str(Path(__file__).parents[2])
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, "PYTHONPATH": path, **environment}, capture_output=True, timeout=120
    )


def test_a_matplotlibrc_of_ones_own_changes_no_figure(tmp_path: Path) -> None:
    """With TeX enabled, text is set by a program that is not here, or by another font."""
    import matplotlib
    from matplotlib.figure import Figure

    plan = BoundPlan("energy_scan", DryRunContext(tmp_path, Reduction())).compile(edge="Br_K")
    pictures = []
    for number, settings in enumerate(({}, {"text.usetex": True, "font.size": 99.0, "axes.facecolor": "red"})):
        with matplotlib.rc_context(settings):
            save_preview(plan, "SIMULATED", tmp_path / f"{number}.png")
            save(Figure(), tmp_path / f"empty{number}.png")
            assert matplotlib.rcParams["font.size"] == settings.get("font.size", matplotlib.rcParams["font.size"])
        pictures.append((tmp_path / f"{number}.png").read_bytes())
    assert pictures[0] == pictures[1]


@pytest.mark.long
def test_commands_draw_whatever_stands_in_a_matplotlibrc(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text(RC)
    acquire(tmp_path / "data", scan_set_of(1))
    where = ("--data", str(tmp_path / "data"))
    for command in (
        ("figure", "--once", "--png", str(tmp_path / "live.png"), *where),
        ("export", "last", "--format", "png", "--out", str(tmp_path / "files"), *where),
        ("report", "last", "--out", str(tmp_path / "report.html"), *where),
    ):
        done = run(*command, cwd=tmp_path, MATPLOTLIBRC=str(tmp_path / "matplotlibrc"))
        assert done.returncode == 0, done.stderr.decode()
    assert (tmp_path / "live.png").stat().st_size > 1000 and list((tmp_path / "files").glob("*.png"))


@pytest.mark.parametrize("encoding", ["ascii", pytest.param("latin-1", marks=pytest.mark.long)])
def test_a_terminal_of_few_characters_gets_others(tmp_path: Path, encoding: str) -> None:
    done = run("scan", "energy_scan", "edge=Br_K", "--dry-run", cwd=tmp_path, PYTHONIOENCODING=encoding)
    assert done.returncode == 0 and b"Traceback" not in done.stderr, done.stderr
    assert b"energy_scan" in done.stdout


def test_a_configuration_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "beamline.toml"
    path.write_text(simulated_text(), encoding="utf-8-sig")
    assert load(path).name == load("simulated").name


@pytest.mark.parametrize(
    "name", ["what?", pytest.param("50%", marks=pytest.mark.long), pytest.param("no#1", marks=pytest.mark.long)]
)
def test_a_data_root_that_is_no_address_is_refused_and_nothing_is_written(tmp_path: Path, name: str) -> None:
    root = tmp_path / name
    with pytest.raises(ConfigurationError, match="which ends the address of the catalogue"):
        load("simulated", data={"root": str(root)})
    with pytest.raises(ConfigurationError, match="--data: root: "):
        stored_configuration("simulated", root)
    done = run("scan", "energy_scan", "edge=Br_K", "--dry-run", "--data", str(root), cwd=tmp_path)
    assert done.returncode != 0 and len(done.stderr.decode().strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
    assert load("simulated", data={"root": str(root), "catalogue": "http://127.0.0.1:1"}).data.root == root


@pytest.mark.long
def test_a_data_root_with_spaces_and_any_letters_works(tmp_path: Path) -> None:
    root = tmp_path / "Probe 試料 é"
    reduced = acquire(root, scan_set_of(1, sample="CsPbBr₃ / \u202e\t?*.."))
    assert write_catalogue(root, root / "catalogue")
    catalogue = open_catalogue(root / "catalogue")
    try:
        assert set(reduced) <= set(catalogue)
    finally:
        close_catalogue(catalogue)
    assert [path.name for path in tmp_path.iterdir()] == [root.name]


def test_another_data_root_keeps_the_rest_of_the_section(tmp_path: Path) -> None:
    path = tmp_path / "beamline.toml"
    rest = 'catalogue = "http://127.0.0.1:1"\nmin_free_gb = 7.5'
    path.write_text(simulated_text(**{'root = "trxas_data"': f'root = "trxas_data"\n{rest}'}))
    data = stored_configuration(str(path), tmp_path / "elsewhere").data
    assert (data.root, data.catalogue, data.min_free_gb) == (tmp_path / "elsewhere", "http://127.0.0.1:1", 7.5)
