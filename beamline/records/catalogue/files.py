"""Rows of a stream in a file written by an instrument: the catalogue references and reads them on demand.

Nothing is copied. A Tiled server serves files below its readable storage only; the embedded catalogue those of the
folder `SHOTS` beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

SHOTS = "shots"
"""Folder of the instruments' files, below the data root; and the stream that names their rows."""


class RowsError(OSError):
    """Rows cannot be read from their file; the message names rows and file."""


def data_source(resource: Mapping[str, Any], descriptor: Mapping[str, Any], rows: int) -> Any:
    """Tiled data source of a dataset in a file, as in bluesky-tiled-plugins.

    Parameters
    ----------
    resource : mapping
        StreamResource document of an HDF5 file.
    descriptor : mapping
        Descriptor of its stream.
    rows : int
        Number of rows referenced by StreamDatum documents.

    Returns
    -------
    tiled.structures.data_source.DataSource
    """
    from bluesky_tiled_plugins.writing.consolidators import HDF5Consolidator

    # The run and its file are complete. HDF5 could read a damaged file forever if opened as unfinished (SWMR).
    finished = {**resource, "parameters": {**resource["parameters"], "swmr": False}}
    consolidator = HDF5Consolidator(finished, dict(descriptor))
    every = {"start": 0, "stop": rows}
    consolidator.consume_stream_datum({"indices": every, "seq_nums": {"start": 1, "stop": rows + 1}})
    return consolidator.get_data_source()


def external_keys(metadata: Mapping[str, Any]) -> list[str]:
    """Data keys of a stream stored in external files, from the metadata of its node."""
    return [key for key, about in metadata.get("data_keys", {}).items() if "external" in about]


def read_rows(client: Any, uid: str, key: str, rows: slice = slice(None), stream: str = SHOTS) -> np.ndarray:
    """Read rows of a dataset in an external file, shape (rows, ...); only these are read and sent.

    ``client[uid][stream][key]`` is the Tiled array itself, not yet read, which can be sliced further.

    Parameters
    ----------
    client : CatalogOfBlueskyRuns
    uid : str
    key : str
        For example ``digitiser_heights``: int16, shape (rows, shots per block), ADC units.
    rows : slice
    stream : str

    Raises
    ------
    KeyError
        When the catalogue has no such run, or the run no such stream or key.
    httpx.TransportError
        When the catalogue does not reply.
    RowsError
        When the file is missing, moved or damaged, or the catalogue may not read it.
    """
    import httpx

    node = client[uid].base[stream].base[key]
    try:
        return np.asarray(node.read(rows))
    except (httpx.HTTPError, OSError, RuntimeError, ValueError) as error:
        # A server that fails to read a file may also disconnect; a dead server fails at this request too.
        uri = node.data_sources()[0].assets[0].data_uri
        raise RowsError(
            f"{key} of run {uid[:8]} cannot be read from {uri}: the file is gone, moved or damaged, or lies outside the"
            " folders that the catalogue may read. Put it back; the rest of the run can be read."
        ) from error


def file_documents(client: Any, uid: str, stream: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """StreamResource documents of a stream, reconstructed from the catalogue."""
    node = client[uid].base[stream].base
    for key in external_keys(node.metadata):
        if key in node:
            source = node[key].data_sources()[0]
            yield (
                "stream_resource",
                {
                    "uid": f"{uid}/{key}",
                    "run_start": uid,
                    "data_key": key,
                    "mimetype": source.mimetype,
                    "uri": source.assets[0].data_uri,
                    "parameters": dict(source.parameters),
                },
            )
