"""An embedded Tiled in this process, on SQLite and files in one directory.

Several processes may open the same directory. It listens on no port.
"""

from __future__ import annotations

import asyncio
import copy
import fcntl
import logging
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from beamline.config.own_files import open_own
from beamline.records.catalogue.copied import path_of_place
from beamline.records.catalogue.files import SHOTS

_SPECS = [{"name": "CatalogOfBlueskyRuns", "version": "3.0"}]


def open_embedded(directory: Path, timeout: float) -> Any:
    """Open a client of an embedded Tiled; the directory is created if needed.

    The only external files that it serves are those in the folder `SHOTS` beside it. Building it takes some seconds, so
    reuse the client.

    Raises
    ------
    beamline.records.catalogue.copied.CopiedCatalogueError
        If it was made in another folder.
    """
    from tiled.client import Context, from_context

    # Errors are returned as by a server, so that both kinds of catalogue are handled alike.
    with warnings.catch_warnings():
        # Deprecation in a dependency of Tiled, which users of a catalogue cannot fix.
        warnings.filterwarnings("ignore", message="Using `httpx` with")
        context = Context.from_app(_application(directory), raise_server_exceptions=False, timeout=timeout)
    return from_context(context)


def array_directory(directory: Path) -> Path:
    """Array storage of the embedded server, one folder per run."""
    return directory / "arrays"


def _application(directory: Path) -> Any:
    from bluesky_tiled_plugins.exporters import json_seq_exporter
    from tiled.media_type_registration import default_serialization_registry
    from tiled.server.app import build_app

    from beamline.records.catalogue.batches import catalogue

    # It prints its version to the terminal.
    logging.getLogger("tiled.server.app").setLevel(logging.WARNING)
    directory = _initialise(directory.absolute())
    registry = copy.copy(default_serialization_registry)
    registry.register("BlueskyRun", "application/json-seq", json_seq_exporter)
    # DuckDB, Tiled's default for tables, would lock out a second process.
    tree = catalogue(
        f"sqlite:///{directory / 'catalogue.db'}",
        specs=_SPECS,
        readable_storage=[str(directory.parent / SHOTS)],
        writable_storage=[str(array_directory(directory)), f"sqlite:///{directory / 'tables.db'}"],
    )
    return build_app(tree, serialization_registry=registry)


def _initialise(directory: Path) -> Path:
    """Create the database once, even with concurrent processes or after one was killed meanwhile.

    Returns the path under which the catalogue was made.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with open(open_own(directory / "lock", os.O_RDWR | os.O_CREAT), "wb") as lock:  # noqa: PTH123
        fcntl.flock(lock, fcntl.LOCK_EX)
        place = path_of_place(directory)
        if (directory / "catalogue.db").exists():
            return place
        part = directory / "catalogue.part"
        for suffix in ("", "-wal", "-shm"):
            part.with_name(part.name + suffix).unlink(missing_ok=True)
        # A thread, since the caller may have an event loop and Alembic needs its own.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(make_database, f"sqlite+aiosqlite:///{part}").result()
        part.rename(directory / "catalogue.db")
    return place


def make_database(uri: str) -> None:
    """As ``tiled catalog init``, without a subprocess. It needs a thread without an event loop."""
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
