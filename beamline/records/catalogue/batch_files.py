"""Arrays and tables of one batch of a run in the storage of a Tiled server."""

from __future__ import annotations

import dataclasses
import shutil
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from adbc_driver_manager import OperationalError
from tiled.catalog.adapter import STORAGE_ADAPTERS_BY_MIMETYPE
from tiled.mimetypes import DEFAULT_ADAPTERS_BY_MIMETYPE, TILED_SQL_TABLE_MIMETYPE, ZARR_MIMETYPE
from tiled.server.schemas import DataSource
from tiled.structures.array import ArrayStructure, BuiltinDtype
from tiled.structures.table import TableStructure
from tiled.utils import path_from_uri

Document = Mapping[str, Any]


Result = TypeVar("Result")
LOCKED_PATIENCE, AGAIN_AFTER = 20.0, 0.02
"""Seconds to wait for another process that writes to the tables, and between two attempts."""


class BatchFiles:
    """Writes the arrays of a batch in a folder of its own, so that a request that was given up touches no other's file.

    Parameters
    ----------
    storages : sequence
        Those to which the server may write.
    path : list of str
        Path of the run.
    """

    def __init__(self, storages: Sequence[Any], path: list[str]) -> None:
        self._storages, self._path, self._name = storages, path, uuid.uuid4().hex[:12]
        self.kept = False

    def written(self, stream: Document) -> list[tuple[str, Document, DataSource]]:
        """Write the new arrays and the new table of a stream: key, metadata and data source of each."""
        path = [*self._path, self._name, stream["name"]]
        new = [(a["key"], a["metadata"], self._array(path, a)) for a in stream["arrays"] if a["metadata"] is not None]
        table = stream["table"]
        if table and table["metadata"] is not None:
            new.append((table["key"], table["metadata"], self._table(path, table)))
        return new

    def discard(self) -> None:
        """Remove the files, unless nodes refer to them."""
        if not self.kept and (folder := self._folder()) is not None:
            shutil.rmtree(folder / self._name, ignore_errors=True)

    def tidy(self) -> None:
        """Remove files of batches that failed to create this run, as those of a server that was killed."""
        if (folder := self._folder()) is not None and folder.is_dir():
            for other in folder.iterdir():
                if other.name != self._name:
                    shutil.rmtree(other, ignore_errors=True)

    def _folder(self) -> Path | None:
        uri = self._storage(ZARR_MIMETYPE).uri
        return Path(path_from_uri(uri)).joinpath(*self._path) if uri.startswith("file:") else None

    def _storage(self, mimetype: str) -> Any:
        kinds = tuple(STORAGE_ADAPTERS_BY_MIMETYPE[mimetype].supported_storage())
        return next(storage for storage in self._storages if isinstance(storage, kinds))

    def _array(self, path: list[str], array: Document) -> DataSource:
        values = values_of(array)
        structure = ArrayStructure(
            data_type=BuiltinDtype.from_numpy_dtype(values.dtype),
            chunks=tuple((size,) for size in values.shape),
            shape=values.shape,
            dims=tuple(array["dims"]),
        )
        source = DataSource(structure_family="array", structure=structure, mimetype=ZARR_MIMETYPE)
        source = self._initialised(source, [*path, array["key"]])
        adapter_of(source).write(values)
        return source

    def _table(self, path: list[str], table: Document) -> DataSource:
        rows = rows_of(table["rows"])
        source = DataSource(
            structure_family="table",
            structure=TableStructure.from_schema(rows.schema, 1),
            mimetype=TILED_SQL_TABLE_MIMETYPE,
            parameters=dict(table["parameters"]),
        )
        source = self._initialised(source, [*path, table["key"]])
        patiently(partial(adapter_of(source).append_partition, 0, rows))
        return source

    def _initialised(self, source: DataSource, path: list[str]) -> DataSource:
        adapter = STORAGE_ADAPTERS_BY_MIMETYPE[source.mimetype]
        storage = self._storage(source.mimetype)
        return patiently(lambda: adapter.init_storage(storage, source, path))


@dataclasses.dataclass(frozen=True)
class _AnyNode:
    """What the adapters ask of a node to read its data."""

    structure_family: str
    metadata_: dict[str, Any] = dataclasses.field(default_factory=dict)
    specs: list[Any] = dataclasses.field(default_factory=list)


def adapter_of(source: DataSource) -> Any:
    """Tiled's adapter that reads and writes a data source."""
    return DEFAULT_ADAPTERS_BY_MIMETYPE[source.mimetype].from_catalog(source, _AnyNode(source.structure_family))


def extended(source: DataSource, array: Document) -> dict[str, Any]:
    """Write an array at its offset, and return the structure of the whole, perhaps larger array."""
    shape, chunks = adapter_of(source).patch(values_of(array), (array["offset"],), extend=True)
    return dataclasses.asdict(dataclasses.replace(source.structure, shape=shape, chunks=chunks))


def append(appends: Sequence[tuple[Any, bytes]]) -> None:
    """Append rows to tables."""
    for adapter, rows in appends:
        patiently(partial(adapter.append_partition, 0, rows_of(rows)))


def patiently(write: Callable[[], Result]) -> Result:
    """Repeat a transaction of a table while another process writes to its database: SQLite's driver hardly waits."""
    deadline = time.monotonic() + LOCKED_PATIENCE
    while True:
        try:
            return write()
        except OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(AGAIN_AFTER)


def values_of(array: Document) -> np.ndarray:
    """The values of an array of a batch."""
    return np.frombuffer(array["data"], dtype=np.dtype(array["dtype"])).reshape(array["shape"])


def rows_of(data: bytes) -> pa.Table:
    """The rows of a table of a batch."""
    return pa.ipc.open_stream(data).read_all()
