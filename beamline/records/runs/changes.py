"""Changed settings for a replay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from beamline.records.runs.run import RunError
from reduction.settings import Settings


def refuse_unfit_changes(present: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
    """Refuse settings that are unknown or have another type than the present ones."""
    for key, value in changes.items():
        if key not in present:
            raise RunError(f"there is no setting {key!r}; settings are {', '.join(present)}")
        if present[key] is not None and _kind(value) != _kind(present[key]):
            raise RunError(f"{key} must be {_kind(present[key])}, like {present[key]!r}, not {value!r}")


def _kind(value: Any) -> str:
    if isinstance(value, list | tuple):
        kinds = {_kind(entry) for entry in value}
        return f"{len(value)} values, each {kinds.pop()}" if len(kinds) == 1 else "a list of mixed values"
    plain = {bool: "true or false", int: "a number", float: "a number", str: "a text"}
    return plain.get(type(value), type(value).__name__)


def checked_settings(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as plain values, with all defaults filled in.

    Raises
    ------
    RunError
        Naming a setting that is unknown or has an invalid value.
    """
    try:
        return Settings.from_mapping(mapping).to_mapping()
    except (TypeError, ValueError) as error:
        raise RunError(f"{error}; settings are {', '.join(Settings.__dataclass_fields__)}") from error
