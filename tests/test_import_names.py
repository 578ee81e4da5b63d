"""The import names of the rooms resolve to this tree alone."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.ioc_process import ROOT

ROOMS = ("sim_ioc", "devices", "plans", "reduction", "beamline")


@pytest.mark.parametrize("room", ROOMS)
def test_an_import_name_is_ours_alone(room: str) -> None:
    """No installed distribution but ours provides it, and it comes from this tree."""
    assert set(importlib.metadata.packages_distributions()[room]) == {"trxas"}
    spec = importlib.util.find_spec(room)
    assert spec is not None
    assert spec.origin == str(ROOT / room / "__init__.py")
    elsewhere = [
        Path(entry) / name
        for entry in sys.path
        for name in (room, f"{room}.py")
        if (Path(entry or ".") / name).exists() and (Path(entry or ".") / name).resolve() != ROOT / room
    ]
    assert elsewhere == []


def test_import_names_resolve_the_same_from_anywhere(tmp_path: Path) -> None:
    """As installed, without the tree as working directory."""
    script = f"import importlib.util as u; print(*(u.find_spec(room).origin for room in {ROOMS!r}))"
    command = [sys.executable, "-P", "-c", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == [str(ROOT / room / "__init__.py") for room in ROOMS]
