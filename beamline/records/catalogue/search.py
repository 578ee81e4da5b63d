"""A route of a Tiled server that finds runs: by beamline, proposal, sample, edge, date, uid and note, page by page.

It reads the table of `beamline.records.catalogue.run_table`, and returns only runs that this principal may read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Security
from sqlalchemy import ColumnElement, exists, func, or_, select
from sqlalchemy.exc import DBAPIError
from tiled.catalog import orm
from tiled.server.authentication import check_scopes

from beamline.records.catalogue.access import Find
from beamline.records.catalogue.run_table import RUNS
from beamline.records.catalogue.wanted import MOST, ROUTE, SHOWN, Wanted

router = APIRouter()
SCOPES = ["read:metadata"]
Allowed = Annotated[None, Security(check_scopes, scopes=SCOPES)]


@router.get(f"/{ROUTE}/{{path:path}}")
async def search(
    path: str,
    find: Find,
    _: Allowed,
    wanted: Annotated[Wanted, Depends()],
    newest: Annotated[int, Query(ge=1, le=MOST)] = 20,
    page: Annotated[int, Query(ge=1)] = 1,
) -> dict[str, Any]:
    """A page of runs, the newest first, the reduced runs of these, and whether there are earlier ones."""
    tree = await find(path, SCOPES)
    if not hasattr(tree, "apply_conditions"):  # nothing here may be read
        return {"runs": [], "reduced": [], "more": False}
    try:
        return await _page(tree, wanted, newest, page)
    except DBAPIError as error:
        raise HTTPException(405, "This catalogue has no table of runs.") from error


async def _page(tree: Any, wanted: Wanted, newest: int, page: int) -> dict[str, Any]:
    order = RUNS.c.time.desc(), RUNS.c.id.desc()
    raw = _readable(tree).where(*_conditions(wanted), _heads_a_row()).order_by(*order)
    async with tree.context.session() as db:
        found = (await db.execute(raw.limit(newest + 1).offset((page - 1) * newest))).all()
        shown = {row.id: row.uid for row in found[:newest]}
        reduced = (await db.execute(_readable(tree).where(RUNS.c.raw.in_(shown.values())))).all() if shown else []
        ids = [row.id for row in reduced]
        about = select(orm.Node.id, orm.Node.metadata_).where(orm.Node.id.in_([*shown, *ids]))
        metadata = dict((await db.execute(about)).all()) if shown else {}
    return {"runs": _about(metadata, shown), "reduced": _about(metadata, ids), "more": len(found) > newest}


def _readable(tree: Any) -> Any:
    """Runs below a node that a principal may read; the nodes are looked at only where that depends on them."""
    runs = select(RUNS.c.id, RUNS.c.uid).where(RUNS.c.parent == tree.node.id)
    if tree.conditions or tree.access_filters:
        runs = tree.apply_conditions(runs.join(orm.Node, orm.Node.id == RUNS.c.id))
    return runs


def _about(metadata: Mapping[int, Mapping[str, Any]], ids: Iterable[int]) -> list[dict[str, Any]]:
    found = [metadata[number] for number in ids if number in metadata]
    return [{key: run[key] for key in SHOWN if key in run} for run in found]


def _heads_a_row() -> ColumnElement[bool]:
    """A raw run, or a reduced one whose raw run is not here."""
    other = RUNS.alias()
    here = exists().where(other.c.uid == RUNS.c.raw, other.c.parent == RUNS.c.parent)
    return or_(RUNS.c.raw.is_(None), ~here)


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    found = [RUNS.c[name] == func.lower(value) for name, value in wanted.equal().items()]
    for word in wanted.sample.split():
        found.append(_has(RUNS.c.sample, word))
    for word in wanted.note.split():
        found.append(_has(RUNS.c.note, word))
    if wanted.since is not None:
        found.append(RUNS.c.time >= wanted.since)
    if wanted.until is not None:
        found.append(RUNS.c.time < wanted.until)
    return [*found, *([_begins(wanted.uid)] if wanted.uid else [])]


def _has(column: Any, word: str) -> ColumnElement[bool]:
    return column.contains(word.lower(), autoescape=True)


def _begins(uid: str) -> ColumnElement[bool]:
    """Uid of the run, of its scan set, or of one of its reduced runs."""
    other, first = RUNS.alias(), uid.lower()
    own, of_set, of_other = (
        column.startswith(first, autoescape=True) for column in (RUNS.c.uid, RUNS.c.scan_set, other.c.uid)
    )
    reduced = select(other.c.raw).where(of_other, other.c.raw.is_not(None))
    return or_(own, of_set, RUNS.c.uid.in_(reduced))
