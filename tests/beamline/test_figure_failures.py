"""A live figure that cannot be shown is reported at once, with what is missing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from beamline.session.figure_process import LiveFigureProcess
from beamline.session.qt_libraries import advice, missing_libraries
from tests.beamline.figures import wait_for

LISTED = """\
\tlinux-vdso.so.1 (0x00007ffd)
\tlibxcb-cursor.so.0 => not found
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)
\tlibodd.so.7 => not found
\tlibxcb-cursor.so.0 => not found
"""


def test_missing_libraries_are_named_with_their_packages() -> None:
    assert missing_libraries(LISTED) == ["libodd.so.7", "libxcb-cursor.so.0"]
    text = advice(missing_libraries(LISTED))
    assert text.endswith("lacks libodd.so.7, libxcb-cursor.so.0. On Debian: apt install libxcb-cursor0.")
    assert advice(["libodd.so.7"]).endswith("lacks libodd.so.7.") and advice([]) == ""


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("print('first', flush=True); raise SystemExit('no display here')", "no display here"),
        ("raise SystemExit(3)", "status 3"),
    ],
)
def test_a_figure_that_fails_says_why(tmp_path: Path, code: str, reason: str) -> None:
    messages: list[str] = []
    LiveFigureProcess([sys.executable, "-c", code], tmp_path / "figure.log", messages.append)
    wait_for(lambda: bool(messages))
    assert len(messages) == 1 and f"has ended: {reason}. " in messages[0]


@pytest.mark.parametrize("code", ["pass", "import time; time.sleep(100)"])
def test_a_figure_that_its_user_or_its_session_closes_says_nothing(tmp_path: Path, code: str) -> None:
    messages: list[str] = []
    process = LiveFigureProcess([sys.executable, "-c", code], tmp_path / "figure.log", messages.append)
    if code == "pass":
        wait_for(lambda: not Path(f"/proc/{process.pid}").exists())
    process.close()
    assert messages == []
