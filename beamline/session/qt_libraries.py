"""Libraries of the system that Qt needs for a window, and this machine lacks; `make qt` names them."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
"""Debian packages of the libraries that a small installation often lacks."""


def missing_libraries(listed: str | None = None) -> list[str]:
    """Names of missing libraries, from what `ldd` prints of Qt's files; empty without Qt or `ldd`."""
    text = _ldd() if listed is None else listed
    return sorted({line.split()[0] for line in text.splitlines() if line.rstrip().endswith("=> not found")})


def advice(missing: Iterable[str]) -> str:
    """What is missing and which packages have it; empty if nothing is missing."""
    names = list(missing)
    if not names:
        return ""
    packages = sorted({PACKAGES[name] for name in names if name in PACKAGES})
    install = f" On Debian: apt install {' '.join(packages)}." if packages else ""
    return f"Qt cannot open a window here: the system lacks {', '.join(names)}.{install}"


def _ldd() -> str:
    found = importlib.util.find_spec("PySide6")
    folders = list(found.submodule_search_locations or ()) if found is not None else []
    files = [str(path) for folder in folders for path in (*Path(folder).glob("QtWidgets*.so"),
             *Path(folder).glob("Qt/plugins/platforms/libq*.so"))]  # fmt: skip
    try:
        return subprocess.run(["ldd", *files], capture_output=True, text=True, check=False).stdout if files else ""
    except OSError:
        return ""


def main() -> int:
    """Print what is missing; exit status 1 if anything is."""
    text = advice(missing_libraries())
    if text:
        print(text)
    return 1 if text else 0


if __name__ == "__main__":
    sys.exit(main())
