"""A table of the runs in the database of a catalogue, by which they are found.

Tiled keeps the start document of a run in one JSON column, so that sorting or searching 100,000 runs reads all of their
documents. This table has the few entries by which people search, in small letters, and is filled by triggers: whoever
writes, corrects or deletes a run, and in whichever way, the table follows. It may be dropped with its triggers: the
next start of the server makes it anew.
"""

from __future__ import annotations

import logging
from typing import Any

from sqlalchemy import Column, Float, Index, Integer, MetaData, Table, Unicode, text

from beamline.records.catalogue.wanted import SEARCH

logger = logging.getLogger(__name__)

VERSION = 1
"""In the names of the triggers: of another version they are replaced, and the table is filled anew."""
ENTRIES = {
    "beamline": "beamline_name",
    "proposal": "proposal",
    "sample": "sample",
    "edge": "edge",
    "uid": "uid",
    "scan_set": "scan_set",
    "raw": "analysis_of",
    "note": "note",
}
"""Columns of text, with the entries of the start document that they come from."""
LONGEST = 8000
"""Characters of an entry that are searched."""
SHORT = 200
"""Characters of those that have an index."""
INDEXED = ("uid", "raw")

RUNS = Table(
    "trxas_runs",
    MetaData(),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("parent", Integer, nullable=False),
    Column("time", Float(53), nullable=False),
    *(Column(name, Unicode, nullable=name == "raw") for name in ENTRIES),
)
Index("trxas_runs_by_time", RUNS.c.parent, RUNS.c.time, RUNS.c.id)
for _name in INDEXED:
    Index(f"trxas_runs_by_{_name}", RUNS.c[_name])


async def prepare(context: Any) -> None:
    """Create and fill the table where it is missing; without the permission to do so, the catalogue does without.

    Parameters
    ----------
    context : tiled.catalog.adapter.Context
    """
    from sqlalchemy.exc import DBAPIError

    try:
        async with context.engine.connect() as connection:
            if not await _is_current(connection):
                await _make(connection)
                await connection.commit()
    except DBAPIError as error:
        logger.warning("Runs cannot be searched in this database: %s", str(error.orig).splitlines()[0])


async def _is_current(connection: Any) -> bool:
    found = await connection.execute(text(_OURS[connection.dialect.name]))
    return f"trxas_runs_changed_{VERSION}" in found.scalars().all()


async def _make(connection: Any) -> None:
    dialect = connection.dialect.name
    # Other servers of the same database wait, and then find it made.
    await connection.execute(text(_LOCKS[dialect]))
    if await _is_current(connection):
        return
    for name, *_ in (await connection.execute(text(_OURS[dialect]))).all():
        await connection.exec_driver_sql(f"DROP TRIGGER {name}" + (" ON nodes" if dialect == "postgresql" else ""))
    await connection.run_sync(RUNS.drop, checkfirst=True)
    await connection.run_sync(RUNS.create)
    for statement in _triggers(dialect):
        await connection.exec_driver_sql(statement)
    await connection.exec_driver_sql(_insert(dialect, "nodes", f"nodes WHERE {_is_run(dialect, 'nodes')}"))


_OURS = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'trxas_runs%'",
    "postgresql": "SELECT tgname FROM pg_trigger WHERE tgname LIKE 'trxas_runs%' AND tgrelid = to_regclass('nodes')",
}
"""Our triggers, of whichever version."""
_LOCKS = {
    "sqlite": "UPDATE nodes SET id = id WHERE 0",  # begins to write
    "postgresql": "SELECT pg_advisory_xact_lock(7241000)",
}


def _triggers(dialect: str) -> list[str]:
    """Statements that make the triggers."""
    if dialect == "sqlite":
        return [
            f"CREATE TRIGGER trxas_runs_made_{VERSION} AFTER INSERT ON nodes WHEN {_is_run(dialect, 'NEW')}"
            f" BEGIN {_insert(dialect, 'NEW')}; END",
            f"CREATE TRIGGER trxas_runs_changed_{VERSION} AFTER UPDATE OF metadata, parent ON nodes"
            f" BEGIN DELETE FROM trxas_runs WHERE id = NEW.id;"
            f" {_insert(dialect, 'NEW')} WHERE {_is_run(dialect, 'NEW')}; END",
            f"CREATE TRIGGER trxas_runs_gone_{VERSION} AFTER DELETE ON nodes"
            " BEGIN DELETE FROM trxas_runs WHERE id = OLD.id; END",
        ]
    body = f"""
        BEGIN
            IF TG_OP = 'UPDATE' AND NEW.metadata = OLD.metadata AND NEW.parent = OLD.parent THEN RETURN NULL; END IF;
            IF TG_OP <> 'INSERT' THEN DELETE FROM trxas_runs WHERE id = OLD.id; END IF;
            IF TG_OP <> 'DELETE' AND {_is_run(dialect, "NEW")} THEN {_insert(dialect, "NEW")}; END IF;
            RETURN NULL;
        END"""
    # UPDATE OF metadata would forbid Tiled to alter that column.
    return [
        f"CREATE OR REPLACE FUNCTION trxas_runs_follow_{VERSION}() RETURNS trigger LANGUAGE plpgsql AS $${body}$$",
        f"CREATE TRIGGER trxas_runs_changed_{VERSION} AFTER INSERT OR DELETE OR UPDATE ON nodes"
        f" FOR EACH ROW EXECUTE FUNCTION trxas_runs_follow_{VERSION}()",
    ]


def _is_run(dialect: str, row: str) -> str:
    """SQL: whether a row of the nodes is a run."""
    container = f"{row}.structure_family = 'container' AND {row}.parent IS NOT NULL"
    if dialect == "sqlite":
        return f"{container} AND json_valid({row}.metadata) AND json_type({row}.metadata, '$.start') = 'object'"
    return f"{container} AND jsonb_typeof({row}.metadata -> 'start') = 'object'"


def _insert(dialect: str, row: str, source: str = "") -> str:
    """SQL that puts a run, or all runs of a source, into the table."""
    names = ", ".join(["id", "parent", "time", *ENTRIES])
    values = ", ".join([f"{row}.id", f"{row}.parent", _time(dialect, row), *(_entry(dialect, row, n) for n in ENTRIES)])
    return f"INSERT INTO trxas_runs ({names}) SELECT {values}" + (f" FROM {source}" if source else "")


def _time(dialect: str, row: str) -> str:
    """SQL: the time at which a run began, s; 0 if it is no number."""
    if dialect == "sqlite":
        kind, value = (f"{name}({row}.metadata, '$.start.time')" for name in ("json_type", "json_extract"))
        return f"CASE WHEN {kind} IN ('real', 'integer') THEN {value} ELSE 0 END"
    time = f"({row}.metadata #> '{{start,time}}')"
    number = f"least(1e15, greatest(-1e15, ({time} #>> '{{}}')::numeric))::float8"
    return f"CASE WHEN jsonb_typeof({time}) = 'number' THEN {number} ELSE 0 END"


def _entry(dialect: str, row: str, column: str) -> str:
    """SQL: a corrected or recorded entry, in small letters."""
    places = [(SEARCH, column)] if column == "note" else [(SEARCH, ENTRIES[column]), ("start", ENTRIES[column])]
    if dialect == "sqlite":
        found = [f"json_extract({row}.metadata, '$.{part}.{name}')" for part, name in places]
    else:
        found = [f"({row}.metadata #>> '{{{part},{name}}}')" for part, name in places]
    size = SHORT if column in INDEXED else LONGEST
    missing = [] if column == "raw" else ["''"]
    return f"substr(lower(coalesce({', '.join([*found, *missing, 'NULL'])})), 1, {size})"
