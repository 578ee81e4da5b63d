"""Writes one run into Tiled; every step is idempotent.

The layout is that of bluesky-tiled-plugins' ``TiledWriter`` with all arrays as zarr, so its clients can read it. Arrays
are written at their offset, which may be repeated. Table rows can only be appended, so the row is written last: it
commits the event, and after any failure the contents of the table are read.

A catalogue that takes batches gets all of this in one request, of which the new nodes are stored whole or not at all.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from beamline.records.catalogue.client import INTERNAL, json_exact, node_of_run
from beamline.records.catalogue.files import data_source
from beamline.records.catalogue_writer.batch import batch_of, paths_of, send_batch
from beamline.records.catalogue_writer.content import RunContent
from beamline.records.catalogue_writer.layout import dims, spec, table_parameters, table_source
from beamline.records.catalogue_writer.stream import Stream, column
from beamline.records.catalogue_writer.verify import DisagreementError, compare


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
    batches : bool
        Whether the catalogue takes batches.

    Attributes
    ----------
    doubtful : bool
        Whether a request failed, so that the catalogue may hold anything of the run.
    closed : bool
        Whether the run has its stop document.
    """

    def __init__(self, client: Any, uid: str, arrays: Path | None = None, batches: bool = False) -> None:
        self._client, self.uid = client, uid
        self.doubtful = self.closed = False
        self._arrays, self._batches = arrays, batches
        self._nodes: dict[str, Any] = {}
        self._paths: set[str] = set()
        self._singly = not batches

    def doubt(self, gone: bool) -> None:
        """After a failure: the last request may or may not have been executed.

        Parameters
        ----------
        gone : bool
            The catalogue reported that something is missing or exists already, so nothing known about it is valid.
        """
        self.doubtful = self._singly = True
        if gone:
            self._nodes.clear()
            self._paths.clear()

    @property
    def known(self) -> bool:
        """Whether the run's node exists, as far as this process knows."""
        return "" in self._nodes or "" in self._paths

    def remove(self) -> None:
        """Remove the run from the catalogue, to rewrite it.

        Its contents may stem from a process that died, so the run is read back before it is closed.
        """
        self._nodes.clear()
        self._paths.clear()
        self.doubtful = True
        run = self._run()
        if run is not None:
            run.delete(recursive=True, external_only=False)
            self._nodes.clear()
        if self._arrays is not None:
            # Tiled creates an array's folder before its node; killed in between, it would refuse the array forever.
            shutil.rmtree(self._arrays / self.uid, ignore_errors=True)
        self._singly = not self._batches

    def write(self, content: RunContent, ending: bool = False) -> None:
        """Store the pending rows and arrays; at the end of the run with its stop document, if one request takes both.

        Raises
        ------
        DisagreementError
            When the catalogue does not hold what was stored before.
        """
        if content.start is None:
            return
        if self._batches and self._singly and not any(stream.stored for stream in content.streams.values()):
            self.remove()  # the first batch failed: to be sent again
        if self._singly:
            self._write_singly(content)
        else:
            self._write_batch(content, ending)

    def _write_batch(self, content: RunContent, ending: bool) -> None:
        streams = content.streams.values()
        new = [stream for stream in streams if stream.name not in self._paths]
        singly = any(s.files or (s not in new and len(s.updates) > s.updates_stored) for s in streams)
        close = _last_metadata(content) if ending and not singly and not self.doubtful else None
        for stream in streams:
            stream.mark_sent()
        send_batch(self._client, batch_of(content, self.uid, self._paths, close))
        self._paths |= paths_of(content)
        for stream in streams:
            stream.mark_stored()
        for stream in new:
            stream.updates_stored = len(stream.updates)
        self.closed = close is not None
        if singly:
            self._write_singly(content)

    def _write_singly(self, content: RunContent) -> None:
        self._ensure_run(content.start or {})
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
        run, last = self._ensure_run(content.start or {}), _last_metadata(content)
        if self._batches:  # nodes that were created singly get the access tags of the run
            send_batch(self._client, {"uid": self.uid, "run": None, "streams": [], "close": last})
        else:
            run.update_metadata(metadata=last, drop_revision=True)
        self.closed = True

    def verify(self, content: RunContent, fresh: RunContent) -> None:
        """Read the run back, and compare it with the stored rows and with freshly read documents, all of them pending.

        Raises
        ------
        DisagreementError
            When the catalogue does not hold each event once, or a value differs.
        """
        self._ensure_run(content.start or {})
        for stream in content.streams.values():
            self._check(stream)
        for stream in fresh.streams.values():
            if stream.pending:
                try:
                    compare(self._client, self.uid, stream)
                except (KeyError, ValueError, IndexError) as error:  # no array, or none of that size
                    raise DisagreementError(f"{stream.name} cannot be read back: {error}") from error

    def _run(self) -> Any | None:
        if "" not in self._nodes:
            found = node_of_run(self._client, self.uid)
            if found is None:
                return None
            self._nodes[""] = found
        return self._nodes[""]

    def _may_hold(self, path: str) -> bool:
        """Whether the catalogue may have this node, although this process has no client of it."""
        return self.doubtful or path in self._paths

    def _found(self, path: str, parent: Any, key: str) -> Any | None:
        if path not in self._nodes and self._may_hold(path) and (found := _child(parent, key)) is not None:
            self._nodes[path] = found
        return self._nodes.get(path)

    def _ensure_run(self, start: dict[str, Any]) -> Any:
        if "" in self._nodes or (self._may_hold("") and self._run() is not None):
            return self._nodes[""]
        self._nodes[""] = self._client.create_container(
            key=self.uid, metadata={"start": json_exact(start)}, specs=[spec("BlueskyRun")]
        )
        return self._nodes[""]

    def _ensure_stream(self, stream: Stream) -> Any:
        if stream.name in self._nodes:
            return self._nodes[stream.name]
        run = self._nodes[""].base if hasattr(self._nodes[""], "base") else self._nodes[""]
        node = _child(run, stream.name) if self._may_hold(stream.name) else None
        if node is None:
            node = run.create_container(
                key=stream.name,
                metadata=json_exact(stream.metadata),
                specs=[spec("BlueskyEventStream"), spec("composite", None)],
            )
        self._nodes[stream.name] = node.base
        return node.base

    def _table(self, stream: Stream) -> Any | None:
        path = f"{stream.name}/{INTERNAL}"
        return self._found(path, self._nodes[stream.name], INTERNAL)

    def _new_table(self, stream: Stream) -> Any:
        keys = stream.metadata["data_keys"]
        node = self._nodes[stream.name].new(
            "table",
            [table_source(stream.schema(), table_parameters(self.uid, stream.name))],
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
        if (array := self._found(path, parent, key)) is not None:
            array.patch(block, offset=(offset,), extend=True)
            return
        if offset:
            raise DisagreementError(f"the array {path} is gone")
        metadata = json_exact(stream.metadata["data_keys"][key] | {"dtype_numpy": block.dtype.str})
        self._nodes[path] = parent.write_array(block, key=key, metadata=metadata, dims=dims(block.shape))

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
        parent = self._ensure_stream(stream)
        if self._held(stream) != list(stream.stored):
            raise DisagreementError(f"the table of {stream.name} does not hold each event once")
        for key in stream.arrays:
            if (node := _child(parent, key)) is not None and node.shape[0] != len(stream.stored):
                raise DisagreementError(f"{key} of {stream.name} does not hold each event once")

    def _update(self, stream: Stream) -> None:
        self._nodes[stream.name].update_metadata(
            metadata={"_config_updates": json_exact(stream.updates)}, drop_revision=True
        )
        stream.updates_stored = len(stream.updates)


def _last_metadata(content: RunContent) -> dict[str, Any]:
    notes = {"notes": content.problems} if content.problems else {}
    return {"stop": json_exact(content.stop), **notes}


def _child(parent: Any, key: str) -> Any | None:
    try:
        return parent[key]
    except KeyError:
        return None
