"""The figures inline in a notebook: the lines of the documentation, executed by IPython."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.figure import Figure
from traitlets.config import Config

from beamline.app.commands.runs import FigureAxis, FigurePage
from beamline.outputs.live_figure.notebook import figure
from beamline.outputs.live_figure.pages import OVER, PAGES
from tests.beamline.figure_scenes import half_a_pass
from tests.beamline.figures import words_of

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "watch-a-scan.md"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("notebook")
    half_a_pass(root)
    return root


def test_the_lines_of_the_guide_show_a_picture_in_ipython(data: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    (lines,) = re.findall(r"In a notebook[^\n]*\n\n((?:    [^\n]*\n)+)", GUIDE.read_text())
    cell = re.sub(r"^    ", "", lines, flags=re.MULTILINE).replace('"trxas_data"', repr(str(data)))
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    result = shell.run_cell(cell, store_history=False)
    result.raise_error()
    assert isinstance(result.result, Figure)
    shown, _ = shell.display_formatter.format(result.result)
    picture = shown["image/png"]
    picture = base64.b64decode(picture) if isinstance(picture, str) else picture
    assert picture.startswith(b"\x89PNG") and len(picture) > 20_000


@pytest.mark.parametrize("page", PAGES)
def test_every_page_shows_that_it_is_simulated_and_the_state_of_the_scan(data: Path, page: str) -> None:
    phrase = words_of(figure(data, page=page)).split("\n")
    assert "SIM" in phrase and "SIMULATED DATA" in phrase
    for beginning in ("NO DWELL FOR", "pass 1 of 3"):
        assert any(word.startswith(beginning) for word in phrase)


def test_without_a_scan_it_shows_the_data_root_and_a_wrong_page_is_refused(tmp_path: Path) -> None:
    assert f"waiting for a scan in {tmp_path}" in words_of(figure(tmp_path))
    with pytest.raises(ValueError, match="there is no page 'drifts'; the pages are scan, map, drift, ledger"):
        figure(tmp_path, page="drifts")


def test_the_command_line_has_the_pages() -> None:
    assert get_args(FigurePage) == tuple(PAGES) and get_args(FigureAxis) == OVER


def test_all_colours_are_distinguishable_with_colour_blindness() -> None:
    """The palette of Okabe and Ito, by its published values."""
    from beamline.outputs.figure import COLOURS

    published = {"#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"}
    assert set(COLOURS) <= published and len(set(COLOURS)) == len(COLOURS)
    assert np.unique([int(colour[1:], 16) for colour in COLOURS]).size == 7
