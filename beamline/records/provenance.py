"""Software versions for start documents."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("trxas", "bluesky", "ophyd", "pyepics", "numpy", "numba", "scipy", "tiled", "databroker", "event-model")


def versions() -> dict[str, str]:
    """Versions of the relevant packages, and the git commit of our own tree if it is a checkout."""
    return dict(_versions())


@cache
def _versions() -> Mapping[str, str]:
    """Looked for once a process: a replay of many runs would start git for each."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    if commit := _commit():
        found["commit"] = commit
    return found


def _commit() -> str | None:
    here = Path(__file__).resolve().parents[2]
    if not (here / ".git").exists():
        return None
    command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=5).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
