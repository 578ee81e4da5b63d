"""Writes one run into Tiled; every step is idempotent.

The layout is that of bluesky-tiled-plugins' ``TiledWriter`` with all arrays as zarr, so its clients can read it. Arrays
are written at their offset, which may be repeated. Table rows can only be appended, so the row is written last: it
commits the event, and after any failure the contents of the table are read.
"""

from __future__ import annotations

import shutil
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from beamline.records.catalogue.client import INTERNAL, json_exact, node_of_run, read_stream
from beamline.records.catalogue.files import data_source
from beamline.records.catalogue_writer.content import RunContent
from beamline.records.catalogue_writer.stream import Stream, column


class DisagreementError(Exception):
    """The catalogue does not hold what was written of a run; the run must be rewritten."""


class CatalogueRun:
    """One run in the catalogue, as known to this process.

    Parameters
    ----------
    client : tiled client
        The catalogue.
    uid : str
        Uid of the run.
    arrays : Path, optional
        Array storage of the server, if it is embedded.
    """

    def __init__(self, client: Any, uid: str, arrays: Path | None = None) -> None:
        self._client, self.uid = client, uid
        self.doubtful = False
        self._arrays = arrays
        self._nodes: dict[str, Any] = {}

    def doubt(self, gone: bool) -> None:
        """After a failure: the last request may or may not have been executed.

        Parameters
        ----------
        gone : bool
            The catalogue reported that something is missing or exists already, so nothing known about it is valid.
        """
        self.doubtful = True
        if gone:
            self._nodes.clear()

    @property
    def known(self) -> bool:
        """Whether the run's node exists, as far as this process knows."""
        return "" in self._nodes

    def remove(self) -> None:
        """Remove the run from the catalogue, to rewrite it.

        Its contents may stem from a process that died, so the run is read back before it is closed.
        """
        self._nodes.clear()
        run = self._run()
        self.doubtful = True
        if run is not None:
            run.delete(recursive=True, external_only=False)
            self._nodes.clear()
        if self._arrays is not None:
            # Tiled creates an array's folder before its node; killed in between, it would refuse the array forever.
            shutil.rmtree(self._arrays / self.uid, ignore_errors=True)

    def write(self, content: RunContent) -> None:
        """Store the pending rows and arrays.

        Raises
        ------
        DisagreementError
            When the catalogue does not hold what was stored before.
        """
        if content.start is None:
            return
        self._ensure_run(content.start)
        for stream in content.streams.values():
            self._ensure_stream(stream)
            if stream.pending and self.doubtful:
                self._reconcile(stream)
            if stream.pending:
                self._append(stream)
            if len(stream.updates) > stream.updates_stored:
                self._update(stream)
            if content.stop is not None:
                self._name_files(stream)

    def close(self, content: RunContent) -> None:
        """Write the stop document of the run."""
        run = self._ensure_run(content.start or {})
        notes = {"notes": content.problems} if content.problems else {}
        run.update_metadata(metadata={"stop": json_exact(content.stop), **notes}, drop_revision=True)

    def verify(self, content: RunContent, fresh: RunContent) -> None:
        """Read the run back, and compare it with the stored rows and with freshly read documents, all of them pending.

        Raises
        ------
        DisagreementError
            When the catalogue does not hold each event once, or a value differs.
        """
        for stream in content.streams.values():
            self._check(stream)
        for stream in fresh.streams.values():
            if stream.pending:
                try:
                    self._compare(stream)
                except (KeyError, ValueError, IndexError) as error:  # no array, or none of that size
                    raise DisagreementError(f"{stream.name} cannot be read back: {error}") from error

    def _compare(self, stream: Stream) -> None:
        held = read_stream(self._client, self.uid, stream.name)
        for key, block in stream.blocks().items():
            if not np.array_equal(held[key], block, equal_nan=block.dtype.kind == "f"):
                raise DisagreementError(f"{key} of {stream.name} differs")
        for name, values in stream.table().to_pandas().items():
            if name in held and not _same(held[name], values.to_numpy()):
                raise DisagreementError(f"{name} of {stream.name} differs")

    def _run(self) -> Any | None:
        if "" not in self._nodes:
            found = node_of_run(self._client, self.uid)
            if found is None:
                return None
            self._nodes[""] = found
        return self._nodes[""]

    def _ensure_run(self, start: dict[str, Any]) -> Any:
        if "" in self._nodes or (self.doubtful and self._run() is not None):
            return self._nodes[""]
        self._nodes[""] = self._client.create_container(
            key=self.uid, metadata={"start": json_exact(start)}, specs=[_spec("BlueskyRun")]
        )
        return self._nodes[""]

    def _ensure_stream(self, stream: Stream) -> Any:
        if stream.name in self._nodes:
            return self._nodes[stream.name]
        run = self._nodes[""].base if hasattr(self._nodes[""], "base") else self._nodes[""]
        node = _child(run, stream.name) if self.doubtful else None
        if node is None:
            node = run.create_container(
                key=stream.name,
                metadata=json_exact(stream.metadata),
                specs=[_spec("BlueskyEventStream"), _spec("composite", None)],
            )
        self._nodes[stream.name] = node.base
        return node.base

    def _table(self, stream: Stream) -> Any | None:
        path = f"{stream.name}/{INTERNAL}"
        if path not in self._nodes and self.doubtful:
            found = _child(self._nodes[stream.name], INTERNAL)
            if found is not None:
                self._nodes[path] = found
        return self._nodes.get(path)

    def _new_table(self, stream: Stream) -> Any:
        keys = stream.metadata["data_keys"]
        node = self._nodes[stream.name].new(
            "table",
            [_table_source(stream.schema(), _table_name(self.uid, stream.name))],
            key=INTERNAL,
            metadata=json_exact({column(k): keys[k] for k in stream.scalars}),
        )
        self._nodes[f"{stream.name}/{INTERNAL}"] = node
        return node

    def _append(self, stream: Stream) -> None:
        offset = len(stream.stored)
        for key, block in stream.blocks().items():
            self._put_block(stream, key, block, offset)
        table = self._table(stream) or self._new_table(stream)
        stream.mark_sent()
        table.append_partition(0, stream.table())
        stream.mark_stored()

    def _put_block(self, stream: Stream, key: str, block: np.ndarray, offset: int) -> None:
        path = f"{stream.name}/{key}"
        parent = self._nodes[stream.name]
        if path not in self._nodes and self.doubtful:
            found = _child(parent, key)
            if found is not None:
                self._nodes[path] = found
        if path in self._nodes:
            self._nodes[path].patch(block, offset=(offset,), extend=True)
            return
        if offset:
            raise DisagreementError(f"the array {path} is gone")
        metadata = json_exact(stream.metadata["data_keys"][key] | {"dtype_numpy": block.dtype.str})
        self._nodes[path] = parent.write_array(block, key=key, metadata=metadata, dims=_dims(block.shape))

    def _name_files(self, stream: Stream) -> None:
        """Register the rows in external files, once no more can follow."""
        parent = self._nodes[stream.name]
        for key, file in stream.files.items():
            path = f"{stream.name}/{key}"
            if path not in self._nodes:
                source = data_source(file.resource, stream.metadata, file.rows)
                about = json_exact(stream.metadata["data_keys"][key])
                found = _child(parent, key) if self.doubtful else None
                self._nodes[path] = found or parent.new("array", [source], key=key, metadata=about)
            if self._nodes[path].shape[0] != file.rows:
                raise DisagreementError(f"{key} of {stream.name} does not have {file.rows} rows")

    def _reconcile(self, stream: Stream) -> None:
        """Resolve an uncertain append: its rows are all in the table, or none."""
        held = self._held(stream)
        if stream.sent and held == [*stream.stored, *stream.sent] and stream.sent_is_current():
            stream.mark_stored()
        elif held != list(stream.stored):
            raise DisagreementError(f"the table of {stream.name} holds other events")

    def _held(self, stream: Stream) -> list[int]:
        table = self._table(stream)
        return [] if table is None else [int(n) for n in table.read(["seq_num"])["seq_num"]]

    def _check(self, stream: Stream) -> None:
        if not stream.stored:
            return
        if self._held(stream) != list(stream.stored):
            raise DisagreementError(f"the table of {stream.name} does not hold each event once")
        for key in stream.arrays:
            node = self._nodes.get(f"{stream.name}/{key}")
            if node is not None and node.shape[0] != len(stream.stored):
                raise DisagreementError(f"{key} of {stream.name} does not hold each event once")

    def _update(self, stream: Stream) -> None:
        self._nodes[stream.name].update_metadata(
            metadata={"_config_updates": json_exact(stream.updates)}, drop_revision=True
        )
        stream.updates_stored = len(stream.updates)


def _spec(name: str, version: str | None = "3.0") -> Any:
    from tiled.structures.core import Spec

    return Spec(name, version)


def _table_source(schema: Any, table_name: str) -> Any:
    """An SQL table that is read in the order of its sequence numbers, regardless of the order in the database."""
    from tiled.structures.data_source import DataSource
    from tiled.structures.table import TableStructure

    return DataSource(
        structure=TableStructure.from_schema(schema, 1),
        structure_family="table",
        mimetype="application/x-tiled-sql-table",
        parameters={"table_name": table_name, "order_by_args": [{"column": "seq_num", "direction": "asc"}]},
    )


def _child(parent: Any, key: str) -> Any | None:
    try:
        return parent[key]
    except KeyError:
        return None


def _dims(shape: tuple[int, ...]) -> tuple[str, ...]:
    """Axis names: equal lengths share one, so that a stream reads as one xarray dataset."""
    return ("time", *(f"dim_{size}" for size in shape[1:]))


def _table_name(uid: str, stream: str) -> str:
    """Name of the separate table of each stream of each run.

    By default Tiled shares one table between all runs with equal columns. It drops that table when its last run is
    removed, even if another process is about to append, and reads slow down as it grows.
    """
    return f"run_{uid.replace('-', '').lower()[:40]}_{zlib.crc32(stream.encode()):08x}"


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    if one.dtype.kind in "fiub" and other.dtype.kind in "fiub":
        return np.array_equal(one, other, equal_nan=True)
    return [None if v != v else v for v in one.tolist()] == [None if v != v else v for v in other.tolist()]
