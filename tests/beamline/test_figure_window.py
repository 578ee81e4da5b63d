"""The window of the live figure, real Qt without a screen: its keys change pages, and pictures of it are whole."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from beamline.outputs.live_figure.pages import PAGES
from beamline.session.figure_process import has_qt
from tests.beamline.figure_scenes import half_a_pass

WINDOW = """
import sys
from pathlib import Path
from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

application = QApplication([])
import beamline.outputs.live_figure.screen as screen
from beamline.outputs.live_figure.view import LiveView

screen.has_display = lambda: True  # Qt draws in memory
root, out = Path(sys.argv[1]), Path(sys.argv[2])
keys = sys.argv[3]
views, ended = [], []

def make(figure):
    views.append(LiveView(root, figure, 0.1, keys=True))
    return views[0]

def look(number=0):
    canvas = views[0].figure.canvas
    if number:
        QTest.keyClick(canvas, Qt.Key(ord(keys[number - 1].upper())))
        QApplication.processEvents()
    canvas.window().grab().save(str(out / f"{number}-{views[0].page}.png"))
    if number < len(keys):
        QTimer.singleShot(0, lambda: look(number + 1))
    else:
        ended.append(True)

QTimer.singleShot(800, look)
screen.show(make, lambda: bool(ended))
print(views[0].picture.figure.texts[0].get_text())
"""

pytestmark = pytest.mark.skipif(not has_qt(), reason="Qt is not installed: `make qt` installs it")


@pytest.mark.long
def test_the_keys_of_the_window_show_each_page(tmp_path: Path) -> None:
    half_a_pass(tmp_path / "data")
    assert list(PAGES) == ["scan", "map", "drift", "ledger"]
    keys = "243t1"
    done = subprocess.run(
        [sys.executable, "-c", WINDOW, str(tmp_path / "data"), str(tmp_path), keys],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    shown = ["scan", "map", "ledger", "drift", "drift", "scan"]
    pictures = {number: tmp_path / f"{number}-{page}.png" for number, page in enumerate(shown)}
    assert all(path.exists() for path in pictures.values()), sorted(path.name for path in tmp_path.glob("*.png"))
    pixels = {number: imread(path) for number, path in pictures.items()}
    for one in range(len(shown) - 1):
        assert pixels[one].shape[0] > 600 and pixels[one].shape[1] > 1000
        assert pixels[one].std() > 0.03  # something is drawn
        for other in range(one):
            assert difference(pixels[one], pixels[other]) > 0.002, (shown[one], shown[other])
    assert difference(pixels[5], pixels[0]) < 1e-3
    assert "[1] scan" in done.stdout and "3 drift" in done.stdout


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Part of the pixels that differ."""
    if one.shape != other.shape:
        return 1.0
    return float((np.abs(one - other).max(axis=2) > 0.1).mean())
