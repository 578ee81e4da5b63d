"""The nodes of one batch of a run in Tiled's database and storage."""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import selectinload
from tiled.catalog import orm
from tiled.catalog.adapter import STORAGE_ADAPTERS_BY_MIMETYPE
from tiled.catalog.core import register_principal_tag_rows
from tiled.catalog.utils import compute_structure_id
from tiled.mimetypes import DEFAULT_ADAPTERS_BY_MIMETYPE, TILED_SQL_TABLE_MIMETYPE, ZARR_MIMETYPE
from tiled.server.schemas import DataSource
from tiled.structures.array import ArrayStructure, BuiltinDtype
from tiled.structures.table import TableStructure
from tiled.utils import path_from_uri

Document = Mapping[str, Any]


class Collision(Exception):  # noqa: N818 - the name of Tiled
    """A node of the batch exists already."""


def require_names(batch: Document) -> None:
    """Refuse names of a batch that would lead out of its folder: arrays lie in folders of these names.

    Raises
    ------
    ValueError
    """
    names = [batch["uid"]]
    for stream in batch["streams"]:
        names += [stream["name"], *(array["key"] for array in stream["arrays"])]
    for name in names:
        if not isinstance(name, str) or name in ("", ".", "..") or "/" in name or "\0" in name:
            raise ValueError(f"{name!r} is no name of a run, stream or array")


async def store_batch(catalogue: Any, batch: Document, access_tags: Sequence[str] = ()) -> None:
    """Store one batch of a run.

    New nodes appear all at once, with their arrays and rows. Rows of tables that exist follow after the arrays of
    their events, and the stop document last.

    Parameters
    ----------
    catalogue : tiled.catalog.adapter.CatalogContainerAdapter
        The node below which the run lies.
    batch : mapping
        ``uid``; ``run``, metadata of a new run; ``streams``, each with ``name``, ``metadata`` if it is new, ``arrays``
        and ``table``; ``close``, metadata added to the run at its end. See `beamline.records.catalogue_writer.batch`.
    access_tags : sequence of str
        Tags of new nodes.

    Raises
    ------
    Collision
        When a node that should be new exists already.
    LookupError
        When a node that should exist does not.
    """
    context = catalogue.context
    path = [*await catalogue.path_segments(), batch["uid"]]
    async with context.session() as db:
        writer = _BatchWriter(context, db, path, access_tags)
        try:
            run = await writer.run(catalogue.node.id, batch)
            await writer.streams(run, batch["streams"])
        except IntegrityError as error:
            raise Collision(f"A part of run {batch['uid']} exists already.") from error
        if not writer.appends:
            await writer.close(run, batch["close"])
        await db.commit()
        if writer.appends:
            await asyncio.to_thread(_append, writer.appends)
            await writer.close(run, batch["close"])
            await db.commit()


class _BatchWriter:
    """The nodes and arrays of one batch, in one transaction."""

    def __init__(self, context: Any, db: Any, path: list[str], access_tags: Sequence[str]) -> None:
        self._context, self._db, self._path, self._tags = context, db, path, access_tags
        self.appends: list[tuple[Any, bytes]] = []

    async def run(self, parent: int, batch: Document) -> int:
        """Id of the run's node."""
        if batch["run"] is None:
            return (await self._children(parent, [batch["uid"]]))[batch["uid"]]
        (run,) = await self._insert(parent, "container", [(batch["uid"], batch["run"], [("BlueskyRun", "3.0")])])
        return run

    async def streams(self, run: int, streams: Sequence[Document]) -> None:
        new = [stream for stream in streams if stream["metadata"] is not None]
        specs = [("BlueskyEventStream", "3.0"), ("composite", None)]
        ids = await self._insert(run, "container", [(stream["name"], stream["metadata"], specs) for stream in new])
        made = dict(zip([stream["name"] for stream in new], ids, strict=True))
        held = await self._children(run, [stream["name"] for stream in streams if stream["metadata"] is None])
        for stream in streams:
            await self._stream({**made, **held}[stream["name"]], stream)

    async def _stream(self, node: int, stream: Document) -> None:
        table, arrays = stream["table"], stream["arrays"]
        new = [array for array in arrays if array["metadata"] is not None]
        ids = await self._insert(node, "array", [(array["key"], array["metadata"], []) for array in new])
        path = [*self._path, stream["name"]]
        sources = await asyncio.to_thread(lambda: [self._new_array(path, array) for array in new])
        if table and table["metadata"] is not None:
            ids += await self._insert(node, "table", [(table["key"], table["metadata"], [])])
            sources.append(await asyncio.to_thread(self._new_table, path, table))
        await self._link(ids, sources)
        await self._extend(node, [array for array in arrays if array["metadata"] is None])
        if table and table["metadata"] is None:
            ((_, source),) = (await self._sources(node, [table["key"]])).values()
            self.appends.append((_adapter(source), table["rows"]))

    async def close(self, run: int, more: Document | None) -> None:
        """Add to the metadata of the run."""
        if more is not None:
            held = (await self._db.execute(select(orm.Node.metadata_).where(orm.Node.id == run))).scalar_one()
            await self._db.execute(update(orm.Node).where(orm.Node.id == run).values(metadata_={**held, **more}))

    async def _children(self, parent: int, keys: Sequence[str]) -> dict[str, int]:
        wanted = select(orm.Node.key, orm.Node.id).where(orm.Node.parent == parent, orm.Node.key.in_(keys))
        found: dict[str, int] = dict((await self._db.execute(wanted)).all()) if keys else {}
        if missing := set(keys) - set(found):
            raise LookupError(f"{', '.join(sorted(missing))} of {'/'.join(self._path)} is gone")
        return found

    async def _insert(self, parent: int, family: str, nodes: Sequence[tuple[str, Document, Any]]) -> list[int]:
        if not nodes:
            return []
        rows = [
            {
                "parent": parent, "key": key, "structure_family": family, "metadata_": metadata,
                "specs": [{"name": name, "version": version} for name, version in specs],
            }
            for key, metadata, specs in nodes
        ]  # fmt: skip
        ids = await self._ids(orm.Node, rows)
        if self._tags:
            await self._tag(ids)
        return ids

    async def _tag(self, nodes: list[int]) -> None:
        await register_principal_tag_rows(await self._db.connection(), set(self._tags))
        chosen = select(orm.AccessTag.id).where(orm.AccessTag.name.in_(self._tags))
        tags = list((await self._db.execute(chosen)).scalars())
        if len(tags) < len(self._tags):
            raise LookupError(f"One of the access tags {', '.join(self._tags)} does not exist.")
        pairs = [{"node_id": node, "tag_id": tag} for node in nodes for tag in tags]
        await self._db.execute(insert(orm.NodeAccessTagAssociation), pairs)

    async def _ids(self, table: Any, rows: list[dict[str, Any]]) -> list[int]:
        statement = insert(table).returning(table.id, sort_by_parameter_order=True)
        return list((await self._db.execute(statement, rows)).scalars())

    async def _link(self, nodes: list[int], sources: list[DataSource]) -> None:
        """Data sources and assets of new nodes."""
        if not nodes:
            return
        structures = [dataclasses.asdict(source.structure) for source in sources]
        identities = await self._structures(structures)
        rows = [
            {
                "node_id": node, "structure_id": identity, "structure_family": source.structure_family,
                "mimetype": source.mimetype, "management": source.management, "parameters": source.parameters,
                "properties": source.properties,
            }
            for node, identity, source in zip(nodes, identities, sources, strict=True)
        ]  # fmt: skip
        ids = await self._ids(orm.DataSource, rows)
        assets = await self._assets({a.data_uri: a.is_directory for source in sources for a in source.assets})
        pairs = [
            {
                "data_source_id": number, "asset_id": assets[asset.data_uri],
                "parameter": asset.parameter, "num": asset.num,
            }
            for number, source in zip(ids, sources, strict=True)
            for asset in source.assets
        ]  # fmt: skip
        await self._db.execute(insert(orm.DataSourceAssetAssociation), pairs)

    async def _structures(self, structures: list[dict[str, Any]]) -> list[str]:
        identities = [compute_structure_id(structure) for structure in structures]
        rows = {key: {"id": key, "structure": value} for key, value in zip(identities, structures, strict=True)}
        statement = self._on_conflict(orm.Structure)
        await self._db.execute(statement.on_conflict_do_nothing(index_elements=["id"]), list(rows.values()))
        return identities

    def _on_conflict(self, table: Any) -> Any:
        from sqlalchemy.dialects import postgresql, sqlite

        return (sqlite if self._context.engine.dialect.name == "sqlite" else postgresql).insert(table)

    async def _assets(self, uris: dict[str, bool]) -> dict[str, int]:
        known = select(orm.Asset.data_uri, orm.Asset.id).where(orm.Asset.data_uri.in_(list(uris)))
        found: dict[str, int] = dict((await self._db.execute(known)).all())
        new = [{"data_uri": uri, "is_directory": folder} for uri, folder in uris.items() if uri not in found]
        ids = await self._ids(orm.Asset, new) if new else []
        return found | {str(row["data_uri"]): number for row, number in zip(new, ids, strict=True)}

    async def _sources(self, stream: int, keys: Sequence[str]) -> dict[str, tuple[Any, Any]]:
        """Data sources of nodes of a stream that exist, by key."""
        children = await self._children(stream, keys)
        wanted = (
            select(orm.DataSource)
            .where(orm.DataSource.node_id.in_(children.values()))
            .options(selectinload(orm.DataSource.asset_associations), selectinload(orm.DataSource.structure))
        )
        by_node = {source.node_id: source for source in (await self._db.execute(wanted)).scalars().unique()}
        return {key: (by_node[node], DataSource.from_orm(by_node[node])) for key, node in children.items()}

    async def _extend(self, stream: int, arrays: Sequence[Document]) -> None:
        if not arrays:
            return
        sources = await self._sources(stream, [array["key"] for array in arrays])
        grown = await asyncio.to_thread(lambda: [_extended(sources[array["key"]][1], array) for array in arrays])
        for array, identity in zip(arrays, await self._structures(grown), strict=True):
            sources[array["key"]][0].structure_id = identity

    def _storage(self, mimetype: str) -> Any:
        kinds = tuple(STORAGE_ADAPTERS_BY_MIMETYPE[mimetype].supported_storage())
        return next(storage for storage in self._context.writable_storage.values() if isinstance(storage, kinds))

    def _new_array(self, path: list[str], array: Document) -> DataSource:
        values = _values(array)
        structure = ArrayStructure(
            data_type=BuiltinDtype.from_numpy_dtype(values.dtype),
            chunks=tuple((size,) for size in values.shape),
            shape=values.shape,
            dims=tuple(array["dims"]),
        )
        source = DataSource(structure_family="array", structure=structure, mimetype=ZARR_MIMETYPE)
        storage = self._storage(ZARR_MIMETYPE)
        if storage.uri.startswith("file:"):
            # A server that was killed left its folder without a node; Tiled would refuse the array forever.
            shutil.rmtree(path_from_uri(storage.uri).joinpath(*path, array["key"]), ignore_errors=True)
        source = STORAGE_ADAPTERS_BY_MIMETYPE[ZARR_MIMETYPE].init_storage(storage, source, [*path, array["key"]])
        _adapter(source).write(values)
        return source

    def _new_table(self, path: list[str], table: Document) -> DataSource:
        rows = _rows(table["rows"])
        source = DataSource(
            structure_family="table",
            structure=TableStructure.from_schema(rows.schema, 1),
            mimetype=TILED_SQL_TABLE_MIMETYPE,
            parameters=dict(table["parameters"]),
        )
        storage = self._storage(TILED_SQL_TABLE_MIMETYPE)
        source = STORAGE_ADAPTERS_BY_MIMETYPE[TILED_SQL_TABLE_MIMETYPE].init_storage(
            storage, source, [*path, table["key"]]
        )
        _adapter(source).append_partition(0, rows)
        return source


@dataclasses.dataclass(frozen=True)
class _AnyNode:
    """What the adapters ask of a node to read its data."""

    structure_family: str
    metadata_: dict[str, Any] = dataclasses.field(default_factory=dict)
    specs: list[Any] = dataclasses.field(default_factory=list)


def _adapter(source: DataSource) -> Any:
    return DEFAULT_ADAPTERS_BY_MIMETYPE[source.mimetype].from_catalog(source, _AnyNode(source.structure_family))


def _append(appends: Sequence[tuple[Any, bytes]]) -> None:
    for adapter, rows in appends:
        adapter.append_partition(0, _rows(rows))


def _extended(source: DataSource, array: Document) -> dict[str, Any]:
    shape, chunks = _adapter(source).patch(_values(array), (array["offset"],), extend=True)
    return dataclasses.asdict(dataclasses.replace(source.structure, shape=shape, chunks=chunks))


def _values(array: Document) -> np.ndarray:
    return np.frombuffer(array["data"], dtype=np.dtype(array["dtype"])).reshape(array["shape"])


def _rows(data: bytes) -> pa.Table:
    return pa.ipc.open_stream(data).read_all()
