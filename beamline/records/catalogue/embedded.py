"""Tiled in this process, on SQLite and files in one directory.

Several processes may have the same directory open. Nothing listens on a port.
"""

from __future__ import annotations

import asyncio
import copy
import fcntl
import logging
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from beamline.records.catalogue.files import SHOTS

_SPECS = [{"name": "CatalogOfBlueskyRuns", "version": "3.0"}]


def open_embedded(directory: Path, timeout: float) -> Any:
    """A client of an embedded Tiled; the directory is made if needed.

    Of other files it serves those in the folder `SHOTS` beside it alone.
    It takes some seconds to build, so keep the client.
    """
    from tiled.client import Context, from_context

    # Errors come back as a server's would, so that one rule fits both kinds of catalogue.
    with warnings.catch_warnings():
        # What Tiled builds on is about to change hands; nothing that whoever opens a catalogue can do about.
        warnings.filterwarnings("ignore", message="Using `httpx` with")
        context = Context.from_app(_application(directory), raise_server_exceptions=False, timeout=timeout)
    return from_context(context)


def array_directory(directory: Path) -> Path:
    """Where the embedded server keeps arrays, one folder a run."""
    return directory / "arrays"


def _application(directory: Path) -> Any:
    from bluesky_tiled_plugins.exporters import json_seq_exporter
    from tiled.catalog import from_uri
    from tiled.media_type_registration import default_serialization_registry
    from tiled.server.app import build_app

    # It announces its version on the terminal of whoever opens a catalogue.
    logging.getLogger("tiled.server.app").setLevel(logging.WARNING)
    directory = directory.absolute()
    registry = copy.copy(default_serialization_registry)
    registry.register("BlueskyRun", "application/json-seq", json_seq_exporter)
    _initialise(directory)
    # DuckDB, Tiled's usual choice for tables, would lock out a second process.
    tree = from_uri(
        f"sqlite:///{directory / 'catalogue.db'}",
        specs=_SPECS,
        readable_storage=[str(directory.parent / SHOTS)],
        writable_storage=[str(array_directory(directory)), f"sqlite:///{directory / 'tables.db'}"],
    )
    return build_app(tree, serialization_registry=registry)


def _initialise(directory: Path) -> None:
    """Make the database once, also when several processes come at the same time or one was killed while at it."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (directory / "catalogue.db").exists():
            return
        part = directory / "catalogue.part"
        for suffix in ("", "-wal", "-shm"):
            part.with_name(part.name + suffix).unlink(missing_ok=True)
        # A thread, since the caller may have an event loop and Alembic wants one to itself.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(_make_database, f"sqlite+aiosqlite:///{part}").result()
        part.rename(directory / "catalogue.db")


def _make_database(uri: str) -> None:
    """What ``tiled catalog init`` does, without starting a Python of its own for it."""
    from sqlalchemy.ext.asyncio import create_async_engine
    from tiled.alembic_utils import stamp_head
    from tiled.catalog.alembic_constants import ALEMBIC_DIR, ALEMBIC_INI_TEMPLATE_PATH
    from tiled.catalog.core import initialize_database

    async def create() -> None:
        engine = create_async_engine(uri)
        try:
            await initialize_database(engine)
        finally:
            await engine.dispose()

    asyncio.run(create())
    stamp_head(ALEMBIC_INI_TEMPLATE_PATH, ALEMBIC_DIR, uri)
