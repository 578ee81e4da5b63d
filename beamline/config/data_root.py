"""Where a configuration keeps its data, without its models: a command that only reads runs need not build them.

The data root is one folder per cycle and proposal, if its path has these placeholders.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from string import Formatter
from typing import Any, NamedTuple

DEFAULT = "trxas_data"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*")
"""Allowed folder names: no path separators, not hidden."""


def placeholders(root: str) -> list[str]:
    """Placeholder names in braces, in order.

    Raises
    ------
    ValueError
        If a brace is unbalanced.
    """
    return [name for _, name, _, _ in Formatter().parse(root) if name is not None]


def filled_root(root: str, values: Mapping[str, str]) -> str:
    """A root with its placeholders replaced by their values.

    Raises
    ------
    ValueError
        Naming an unknown placeholder, or a value that is empty or not a valid folder name.
    """
    names = placeholders(root)
    for name in names:
        if name not in values:
            raise ValueError(f"root: {{{name}}} is not known; known are {', '.join(f'{{{key}}}' for key in values)}")
        if not values[name]:
            raise ValueError(f"root: {{{name}}} is used and {name} is empty")
        if not NAME.fullmatch(values[name]):
            raise ValueError(
                f"root: {name} {values[name]!r} is not a folder name; use letters, digits, single '.', '_' and '-'"
            )
    for name in names:
        root = root.replace(f"{{{name}}}", values[name])
    return root


class ConfigurationError(Exception):
    """The configuration is invalid; the message names every wrong entry."""


class DataPlace(NamedTuple):
    """The data root, and the address of the catalogue."""

    root: Path
    catalogue: str


def place_of(source: str | Path, root: Path | None = None) -> DataPlace:
    """Where a configuration keeps its data; nothing else of it is looked at.

    Parameters
    ----------
    source : str or Path
        As for `beamline.config.models.load`.
    root : Path, optional
        Another data root.

    Raises
    ------
    ConfigurationError
        If there is no such file, it is not TOML, or its data root cannot be used.
    """
    path, content = read_configuration(source)
    data = content.get("data", {})
    if not isinstance(data, Mapping) or not all(isinstance(data.get(key, ""), str) for key in ("root", "catalogue")):
        raise ConfigurationError(f"{path}: data: root and catalogue are texts in a table")
    try:
        values = {key: str(content.get(key, "")) for key in ("cycle", "proposal")}
        there = root or Path(filled_root(data.get("root", DEFAULT), values))
    except ValueError as error:
        raise ConfigurationError(f"{path}: {error}") from error
    return DataPlace(there, address(data.get("catalogue", ""), there))


def address(catalogue: str, root: Path) -> str:
    """URI of a Tiled server, or the folder of the embedded catalogue."""
    return catalogue or str(root / "catalogue")


def read_configuration(source: str | Path) -> tuple[Path, dict[str, Any]]:
    """File and entries of a configuration, unchecked.

    Raises
    ------
    ConfigurationError
        If the file is missing or is not TOML.
    """
    packaged = files("beamline.config") / "configurations" / f"{source}.toml"
    path = Path(str(packaged)) if packaged.is_file() else Path(source)
    try:
        return path, tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigurationError(
            f"no configuration file {source}; give a path, or one of {', '.join(packaged_names())}"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not a TOML file: {error}") from error


def packaged_names() -> list[str]:
    """Names of the packaged configurations."""
    folder = files("beamline.config") / "configurations"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))
