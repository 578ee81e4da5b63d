"""Previews of scans whose target names quantities, without a beamline."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from beamline.session.scans.preview import print_preview
from plans.protocols import MoveTimes
from plans.scans.energy import compiled_energy_scan
from reduction.allocation.names import TargetError
from tests.beamline.configurations import ENERGIES, FORECAST

WARNING = "That is more than this scan counts at most"


def printed(folder: Path, target: dict[str, Any], longest: float, text: io.StringIO) -> str:
    (file := folder / "bromide.toml").write_text(FORECAST)
    options = {"target": target, "forecast": str(file), "longest": longest, "energies": ENERGIES}
    compiled = compiled_energy_scan("Br_K", 100.0, 2, 1.5, **options)
    print_preview(compiled.with_reference("combined"), MoveTimes(), 1.0, Console(file=text, width=150))
    return text.getvalue()


def test_a_preview_warns_of_a_target_that_takes_longer_than_the_scan_counts(tmp_path: Path) -> None:
    target = {"transient(slot=0, energy=13.472)": 2e-4}
    assert WARNING in printed(tmp_path, target, 6.0, io.StringIO())
    assert WARNING not in printed(tmp_path, target, 6000.0, io.StringIO())


def test_a_target_is_refused_before_anything_is_printed(tmp_path: Path) -> None:
    text = io.StringIO()
    with pytest.raises(TargetError, match=r"transient\(slot=0, energy=13\.472\): an error of 1e-09 is out of reach"):
        printed(tmp_path, {"transient(slot=0, energy=13.472)": 1e-9}, 60.0, text)
    assert text.getvalue() == ""
