"""The nodes of one batch of a run in Tiled's database and storage."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import selectinload
from tiled.catalog import orm
from tiled.catalog.utils import compute_structure_id
from tiled.server.schemas import DataSource

from beamline.records.catalogue.access_tags import inherit_tags, insert_into, tag_run
from beamline.records.catalogue.batch_files import BatchFiles, adapter_of, append, extended

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


async def store_batch(catalogue: Any, batch: Document, access_tags: Collection[str] = ()) -> None:
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
    access_tags : collection of str
        Tags of a new run. Later nodes get those of their run.

    Raises
    ------
    Collision
        When a node that should be new exists already.
    LookupError
        When a node that should exist does not.
    """
    path = [*await catalogue.path_segments(), batch["uid"]]
    async with catalogue.context.session() as db:
        writer = _BatchWriter(catalogue.context, db, path, access_tags)
        try:
            await writer.store(catalogue.node.id, batch)
        except IntegrityError as error:
            await asyncio.to_thread(writer.files.discard)
            raise Collision(f"A part of run {batch['uid']} exists already.") from error
        except BaseException:
            await asyncio.to_thread(writer.files.discard)
            raise
    if batch["run"] is not None:
        await asyncio.to_thread(writer.files.tidy)


class _BatchWriter:
    """The nodes of one batch. Files are written first, so that the transaction is short."""

    def __init__(self, context: Any, db: Any, path: list[str], access_tags: Collection[str]) -> None:
        self._db, self._tags = db, access_tags
        self._path = path
        self.files = BatchFiles(list(context.writable_storage.values()), path)

    async def store(self, parent: int, batch: Document) -> None:
        """All of the batch."""
        run = None if batch["run"] is not None else (await self._children(parent, [batch["uid"]]))[batch["uid"]]
        old = [stream for stream in batch["streams"] if stream["metadata"] is None]
        held = await self._children(run, [stream["name"] for stream in old]) if run is not None else {}
        grown = {name: await self._grown(node, _of(old, name)) for name, node in held.items()}
        new = await asyncio.to_thread(lambda: {s["name"]: self.files.written(s) for s in batch["streams"]})
        if run is None:
            specs = [("BlueskyRun", "3.0")]
            (run,) = await self._insert(parent, "container", [(batch["uid"], batch["run"], specs)])
            await tag_run(self._db, run, self._tags)
        held |= await self._streams(run, [stream for stream in batch["streams"] if stream["metadata"] is not None])
        for stream in batch["streams"]:
            await self._nodes(held[stream["name"]], new[stream["name"]])
        await inherit_tags(self._db, run)
        for sources, structures in (each[:2] for each in grown.values()):
            for source, identity in zip(sources, await self._structures(structures), strict=True):
                source.structure_id = identity
        appends = [each for *_, appends in grown.values() for each in appends]
        if appends:
            await self._db.commit()  # arrays before the rows that commit their events
            self.files.kept = True
            await asyncio.to_thread(append, appends)
        await self.close(run, batch["close"])
        await self._db.commit()

    async def _streams(self, run: int, streams: Sequence[Document]) -> dict[str, int]:
        specs = [("BlueskyEventStream", "3.0"), ("composite", None)]
        ids = await self._insert(run, "container", [(stream["name"], stream["metadata"], specs) for stream in streams])
        return dict(zip([stream["name"] for stream in streams], ids, strict=True))

    async def _nodes(self, stream: int, new: Sequence[tuple[str, Document, DataSource]]) -> None:
        ids: list[int] = []
        for family, members in groupby(new, key=lambda each: str(each[2].structure_family.value)):
            ids += await self._insert(stream, family, [(key, metadata, []) for key, metadata, _ in members])
        await self._link(ids, [source for *_, source in new])

    async def _grown(self, node: int, stream: Document) -> tuple[list[Any], list[dict[str, Any]], list[Any]]:
        """Arrays that are extended: their data sources and new structures; and the rows for a table that exists."""
        arrays = [array for array in stream["arrays"] if array["metadata"] is None]
        table = stream["table"] if stream["table"] and stream["table"]["metadata"] is None else None
        keys = [array["key"] for array in arrays] + ([table["key"]] if table else [])
        sources = await self._sources(node, keys)
        found = [sources[array["key"]] for array in arrays]
        pairs = [(source, array) for (_, source), array in zip(found, arrays, strict=True)]
        structures = await asyncio.to_thread(lambda: [extended(source, array) for source, array in pairs])
        rows = [(adapter_of(sources[table["key"]][1]), table["rows"])] if table else []
        return [row for row, _ in found], structures, rows

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
        return await self._ids(orm.Node, rows)

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
        if not structures:
            return []
        identities = [compute_structure_id(structure) for structure in structures]
        rows = {key: {"id": key, "structure": value} for key, value in zip(identities, structures, strict=True)}
        statement = insert_into(self._db, orm.Structure)
        await self._db.execute(statement.on_conflict_do_nothing(index_elements=["id"]), list(rows.values()))
        return identities

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


def _of(streams: Sequence[Document], name: str) -> Document:
    return next(stream for stream in streams if stream["name"] == name)
