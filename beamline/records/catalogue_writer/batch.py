"""A batch of a run in one request, where the catalogue has the route for it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import httpx
import msgpack
import numpy as np
import pyarrow as pa

from beamline.records.catalogue.client import INTERNAL, json_exact
from beamline.records.catalogue_writer.content import RunContent
from beamline.records.catalogue_writer.layout import dims, table_parameters
from beamline.records.catalogue_writer.stream import Stream, column

ROUTE, VERSION = "run_batch", 1
"""Those of `beamline.records.catalogue.batches`, which takes seconds to import."""


def takes_batches(client: Any) -> bool:
    """Whether this catalogue stores batches; other servers get one request after another."""
    try:
        reply = client.context.http_client.get(_address(client))
    except httpx.TransportError:
        return False
    return bool(reply.status_code == 200 and reply.json().get("version") == VERSION)


def send_batch(client: Any, batch: dict[str, Any]) -> None:
    """Store a batch.

    Raises
    ------
    httpx.HTTPStatusError
        When the catalogue refuses it: status 404 or 409 if it holds other nodes than this process knows.
    """
    from tiled.client.utils import handle_error

    handle_error(client.context.http_client.post(_address(client), content=msgpack.packb(batch)))


def batch_of(content: RunContent, uid: str, known: Collection[str], close: dict[str, Any] | None) -> dict[str, Any]:
    """All pending rows and arrays of a run.

    Parameters
    ----------
    content : RunContent
        The run.
    uid : str
        Its uid.
    known : collection of str
        Paths of the nodes that the catalogue has: "" for the run, the stream's name, its name and key.
    close : dict or None
        Metadata to add when all of it is stored.
    """
    return {
        "uid": uid,
        "run": None if "" in known else {"start": json_exact(content.start)},
        "streams": [
            _stream(uid, stream, known)
            for stream in content.streams.values()
            if stream.pending or stream.name not in known
        ],
        "close": close,
    }


def paths_of(content: RunContent) -> set[str]:
    """Paths of the nodes that the catalogue has when a batch of this content is stored."""
    paths = {"", *content.streams}
    for stream in content.streams.values():
        if stream.stored or stream.pending:
            paths |= {f"{stream.name}/{key}" for key in (INTERNAL, *stream.arrays)}
    return paths


def _address(client: Any) -> str:
    return f"{client.context.api_uri}{ROUTE}/{'/'.join(client.path_parts)}"


def _stream(uid: str, stream: Stream, known: Collection[str]) -> dict[str, Any]:
    new = stream.name not in known
    metadata = dict(stream.metadata)
    if stream.updates:
        metadata["_config_updates"] = stream.updates
    return {
        "name": stream.name,
        "metadata": json_exact(metadata) if new else None,
        "arrays": [_array(stream, key, values, known) for key, values in stream.blocks().items()]
        if stream.pending
        else [],
        "table": _table(uid, stream, known) if stream.pending else None,
    }


def _array(stream: Stream, key: str, values: np.ndarray, known: Collection[str]) -> dict[str, Any]:
    new = f"{stream.name}/{key}" not in known
    about = stream.metadata["data_keys"][key] | {"dtype_numpy": values.dtype.str}
    return {
        "key": key,
        "metadata": json_exact(about) if new else None,
        "dims": dims(values.shape),
        "dtype": values.dtype.str,
        "shape": values.shape,
        "offset": len(stream.stored),
        "data": values.tobytes(),
    }


def _table(uid: str, stream: Stream, known: Collection[str]) -> dict[str, Any]:
    keys = stream.metadata["data_keys"]
    new = f"{stream.name}/{INTERNAL}" not in known
    return {
        "key": INTERNAL,
        "metadata": json_exact({column(key): keys[key] for key in stream.scalars}) if new else None,
        "parameters": table_parameters(uid, stream.name),
        "rows": _ipc(stream.table()),
    }


def _ipc(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())
