"""Tags of runs in a Tiled server with an access policy: of their beamline, of their proposal, and of who stored them.

All nodes of a run have the tags of the run. What a tag permits to whom stands in the server's definitions of tags, see
`beamline.records.catalogue.roles`; a tag that is not defined yet permits nothing until it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import literal, select
from sqlalchemy.dialects import postgresql, sqlite
from tiled.catalog import orm

BEAMLINE, PROPOSAL = "beamline:", "proposal:"
"""Beginnings of the names of tags, so that no proposal can be named as one of Tiled's own tags."""
LONGEST = 255
"""Characters of a name in Tiled's table."""


def tags_of_run(start: Mapping[str, Any]) -> set[str]:
    """Tags of a run by its start document."""
    named = {BEAMLINE: start.get("beamline_name"), PROPOSAL: start.get("proposal")}
    return {f"{kind}{' '.join(str(name).split())}"[:LONGEST] for kind, name in named.items() if name}


def insert_into(db: Any, table: Any) -> Any:
    """An INSERT that may pass over rows that exist, in the dialect of a session's database."""
    return (sqlite if db.get_bind().dialect.name == "sqlite" else postgresql).insert(table)


async def tag_run(db: Any, run: int, names: Collection[str]) -> None:
    """Give a node these tags; those that have no definition yet are entered."""
    if not names:
        return
    new = insert_into(db, orm.AccessTag).on_conflict_do_nothing(index_elements=["name"])
    await db.execute(new, [{"name": name, "is_public": False} for name in sorted(names)])
    tags = select(literal(run), orm.AccessTag.id).where(orm.AccessTag.name.in_(names))
    await _associate(db, tags)


async def inherit_tags(db: Any, run: int) -> None:
    """Give all nodes below a run its tags."""
    held, below = orm.NodeAccessTagAssociation, orm.NodesClosure
    tags = select(below.descendant, held.tag_id).join(held, held.node_id == below.ancestor).where(below.ancestor == run)
    await _associate(db, tags)


async def _associate(db: Any, pairs: Any) -> None:
    table = orm.NodeAccessTagAssociation
    statement = insert_into(db, table).from_select(["node_id", "tag_id"], pairs)
    await db.execute(statement.on_conflict_do_nothing(index_elements=["node_id", "tag_id"]))
