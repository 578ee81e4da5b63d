"""Read access to the catalogue: Tiled through databroker's client.

The journal is the primary record; the catalogue is a searchable copy. `beamline.records.catalogue_writer` writes it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from beamline.records.catalogue.files import external_keys
from beamline.records.catalogue.health import SPEC

INTERNAL = "internal"
"""Key of the table of a stream's scalars, one row per event."""

_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_TEXT = "text:"
"""Escape before a text that could be mistaken for one of these."""


def open_catalogue(where: str | Path, api_key: str | None = None, timeout: float = 30.0) -> Any:
    """Open the catalogue.

    Parameters
    ----------
    where : str or path
        The address of a Tiled server (``http://...``), or a directory: an embedded Tiled on SQLite, created if needed.
    api_key : str, optional
        For a server; without it Tiled's own ``TILED_API_KEY`` is used.
    timeout : float
        Timeout of one request, s.

    Returns
    -------
    bluesky_tiled_plugins.CatalogOfBlueskyRuns
        ``catalogue[uid]``, ``catalogue[-1]``, ``.v1`` and ``.v2`` as databroker has them. Close it with
        `close_catalogue`.

    Raises
    ------
    ConnectionError
        When the server does not reply, or its tree is no catalogue of runs.
    """
    # Tiled takes seconds to import, so only opening a catalogue imports it.
    if is_server(where):
        return _open_server(str(where), api_key, timeout)
    from beamline.records.catalogue.embedded import open_embedded

    return open_embedded(Path(where), timeout)


def is_server(where: str | Path) -> bool:
    """Whether this is a server URL rather than a directory."""
    return str(where).startswith(("http://", "https://"))


def _open_server(uri: str, api_key: str | None, timeout: float) -> Any:
    import httpx
    from tiled.client import from_uri

    try:
        client = from_uri(uri, api_key=api_key, timeout=httpx.Timeout(timeout, connect=3.0))
    except httpx.TransportError as error:
        raise ConnectionError(
            f"The catalogue at {uri} does not answer ({type(error).__name__}). Documents stay in the journal; "
            "start the server, or name another catalogue in the configuration."
        ) from error
    if SPEC not in {spec.name for spec in client.specs}:
        close_catalogue(client)
        raise ConnectionError(f"The tree at {uri} is no catalogue of runs: it lacks the spec {SPEC}.")
    return client


def close_catalogue(client: Any) -> None:
    """Close the connections, and the embedded server if there is one."""
    client.context.__exit__(None, None, None)


def read_stream(client: Any, uid: str, stream: str) -> dict[str, np.ndarray]:
    """Read a stream of a run as arrays with the events as first axis.

    Returns
    -------
    dict
        By data key, shape (events, ...), with the dtype of its descriptor; and ``seq_num``, ``time``. Of a running run:
        the complete events. A stream without events has the last two only, empty. Rows stored in external files are
        omitted: see `beamline.records.catalogue.files.read_rows`.

    Raises
    ------
    KeyError
        When the catalogue has no such run, or the run no such stream.
    """
    # Plain containers: databroker's `.v1` and `.v2` change the class of runs for the whole process.
    node = client[uid].base[stream].base
    parts = dict(node.items())  # one request for all instead of one each
    columns = {"seq_num": np.empty(0, dtype=np.int64), "time": np.empty(0)}
    if INTERNAL in parts:
        frame = parts[INTERNAL].read()
        columns = {key: _column(frame[key]) for key in frame.columns if not key.startswith("ts_")}
    events = len(columns["seq_num"])
    for key, part in parts.items():
        if key != INTERNAL and events and key not in external_keys(node.metadata):
            # The table's rows are written last. An array may be ahead of them, or grow between the request for its
            # shape and that for its values; Tiled then raises an error if all of it is requested.
            columns[key] = np.asarray(part.read(slice(0, events)))
    return columns


def _column(series: Any) -> np.ndarray:
    values = series.to_numpy()
    return values.astype(str) if values.dtype == object and all(isinstance(v, str) for v in values) else values


def run_documents(client: Any, uid: str) -> dict[str, Any]:
    """Start and stop documents of a run (stop is None while it runs), with NaN and infinity restored.

    Raises
    ------
    KeyError
        When the catalogue has no such run.
    """
    metadata = plain(client[uid].metadata)
    return {"start": restored(metadata.get("start")), "stop": restored(metadata.get("stop"))}


def list_runs(client: Any, newest: int | None = None) -> list[dict[str, Any]]:
    """What `listed` has of the runs, the earliest first.

    Parameters
    ----------
    newest : int, optional
        Only so many newest runs.
    """
    latest_first = iter(client.sort(("start.time", -1)).values())
    found = [listed(plain(run.metadata)) for run in islice(latest_first, newest)]
    return found[::-1]


def listed(metadata: dict[str, Any]) -> dict[str, Any]:
    """Start and stop documents of a run, the writer's notes on what it left to the journal, corrections and logbook."""
    documents = {key: restored(metadata.get(key)) for key in ("start", "stop")}
    entries = {key: restored(metadata.get(key, [])) for key in ("corrections", "logbook")}
    return {**documents, **entries, "notes": metadata.get("notes", [])}


def node_of_run(client: Any, uid: str) -> Any | None:
    """The node of a run, or None without one.

    `in` and `[]` of the catalogue client also search partial uids; this looks up the exact key.
    """
    from tiled.queries import KeysFilter

    return next(iter(client.search(KeysFilter([uid])).values()), None)


def plain(value: Any) -> Any:
    """Convert Tiled's read-only views to dictionaries and lists."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, str | bytes) or not hasattr(value, "__iter__"):
        return value
    return [plain(item) for item in value]


def json_exact(value: Any) -> Any:
    """A document in lossless JSON: NaN and infinities become the strings of protobuf's JSON mapping.

    JSON has no such numbers, and Tiled would store null for them. Integers beyond 64 bits become strings.
    """
    if isinstance(value, Mapping):
        return {str(key): json_exact(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return json_exact(value.tolist())
    if isinstance(value, np.generic):
        return json_exact(value.item())
    if isinstance(value, list | tuple):
        return [json_exact(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63:
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, str) and (value in _SPECIAL or value.startswith(_TEXT)):
        return _TEXT + value
    return value


def restored(value: Any) -> Any:
    """Restore the numbers that `json_exact` wrote as strings."""
    if isinstance(value, dict):
        return {key: restored(item) for key, item in value.items()}
    if isinstance(value, list):
        return [restored(item) for item in value]
    return _SPECIAL.get(value, value.removeprefix(_TEXT)) if isinstance(value, str) else value
