"""What a user may add to start documents: text keys that the program does not write itself, and text that is stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from typing import Any

OF_THE_ENGINE = frozenset({"uid", "time", "scan_id", "plan_name", "plan_type", "hints"})
OF_THE_SESSION = frozenset(
    {
        "beamline_name", "mode", "clock_rate", "cycle", "versions", "configuration_hash", "pv_map", "proposal",
        "roles", "detectors", "findings", "sample", "users", "t0", "corrected", "night", "place",
    }
)  # fmt: skip
OF_THE_PLANS = frozenset(
    {
        "absorption_edge", "apply", "approach", "attempts", "background", "conditions", "dwell", "edge",
        "estimated_time", "forecast", "frame", "frames", "grid", "longest", "members", "monitor_energies",
        "monitor_share", "num_events", "num_points", "order", "passes", "pattern", "probe_energy", "pump_delay",
        "pump_fluence", "put_back", "reference", "resumes", "scan_axis", "scan_index", "scan_set", "series", "settings",
        "target", "temperature_step", "visit_order",
    }
)  # fmt: skip
OF_REDUCED_RUNS = frozenset({"accumulates", "analysis_of", "procedure", "settings_hash"})
OF_EVERY_SCAN = OF_THE_ENGINE | OF_THE_PLANS | OF_REDUCED_RUNS
"""Keys that a scan without a session writes, or that would make another run of it."""
RESERVED = OF_EVERY_SCAN | OF_THE_SESSION
"""Every key of a start document that the program writes."""


class MetadataError(ValueError):
    """Metadata that start documents cannot have; the message names the key."""


def check_metadata(metadata: Any, reserved: Set[str] = RESERVED) -> None:
    """Refuse what a user gives for start documents and they cannot have.

    Parameters
    ----------
    metadata : mapping
    reserved : set of str
        Keys that are not the user's.

    Raises
    ------
    MetadataError
        Naming every key that the program writes itself, is no text, or holds text that cannot be stored.
    """
    if not isinstance(metadata, Mapping):
        raise MetadataError(f"md must be a mapping of names to values, not {metadata!r}")
    if taken := sorted(reserved & set(metadata)):
        raise MetadataError(f"md: {', '.join(taken)}: reserved keys; choose other names")
    check_storable(metadata)


def check_storable(metadata: Mapping[Any, Any]) -> None:
    """Refuse metadata that the catalogue could not store.

    Raises
    ------
    MetadataError
    """
    if faults := list(_faults(metadata, "")):
        raise MetadataError(f"metadata: {'; '.join(faults)}")


def _faults(value: Any, where: str) -> Iterator[str]:
    if isinstance(value, str) and not _is_storable(value):
        yield f"the text of {where} has characters that cannot be stored: {value!a}"
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            if not isinstance(key, str):
                yield f"the key {key!r}{f' in {where}' if where else ''} is no text"
            elif not _is_storable(key):
                yield f"the key {key!a} has characters that cannot be stored"
            else:
                yield from _faults(entry, f"{where}.{key}" if where else key)
    elif isinstance(value, (list, tuple)):
        for number, entry in enumerate(value):
            yield from _faults(entry, f"{where}[{number}]")


def _is_storable(text: str) -> bool:
    """Whether it is Unicode as files and databases take it: no half of a character, no NUL."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False
