"""Names and parameters of a run's nodes, those of bluesky-tiled-plugins where it has them."""

from __future__ import annotations

import zlib
from typing import Any


def dims(shape: tuple[int, ...]) -> tuple[str, ...]:
    """Axis names: equal lengths share one, so that a stream reads as one xarray dataset."""
    return ("time", *(f"dim_{size}" for size in shape[1:]))


def table_parameters(uid: str, stream: str) -> dict[str, Any]:
    """An SQL table that is read in the order of its sequence numbers, regardless of the order in the database."""
    return {
        "table_name": _table_name(uid, stream),
        "order_by_args": [{"column": "seq_num", "direction": "asc"}],
    }


def spec(name: str, version: str | None = "3.0") -> Any:
    """A specification of Tiled by name."""
    from tiled.structures.core import Spec

    return Spec(name, version)


def table_source(schema: Any, parameters: dict[str, Any]) -> Any:
    """Data source of a table that is to be created."""
    from tiled.structures.data_source import DataSource
    from tiled.structures.table import TableStructure

    return DataSource(
        structure=TableStructure.from_schema(schema, 1),
        structure_family="table",
        mimetype="application/x-tiled-sql-table",
        parameters=parameters,
    )


def _table_name(uid: str, stream: str) -> str:
    """Name of the separate table of each stream of each run.

    By default Tiled shares one table between all runs with equal columns. It drops that table when its last run is
    removed, even if another process is about to append, and reads slow down as it grows.
    """
    return f"run_{uid.replace('-', '').lower()[:40]}_{zlib.crc32(stream.encode()):08x}"
