"""What a catalogue on SQLite holds, read from its databases, without Tiled and at once for all runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PARTS = """
    SELECT run.key, stream.key, part.key, source.structure_family,
           json_extract(source.parameters, '$.table_name'), json_extract(source.parameters, '$.dataset_id'),
           json_extract(structures.structure, '$.shape[0]')
    FROM data_sources AS source
    JOIN nodes AS part ON part.id = source.node_id
    JOIN nodes AS stream ON stream.id = part.parent
    JOIN nodes AS run ON run.id = stream.parent
    JOIN structures ON structures.id = source.structure_id
"""


@dataclass
class StoredStream:
    """A stream of a run.

    Attributes
    ----------
    numbers : list of int
        Sequence numbers of the rows of its table, in order.
    lengths : dict
        By key, the number of events in each array.
    """

    numbers: list[int] = field(default_factory=list)
    lengths: dict[str, int] = field(default_factory=dict)


Stored = Mapping[tuple[str, str], StoredStream]
"""Streams by the uid of their run and their name."""


def stored_streams(folder: Path) -> Stored:
    """All streams of the catalogue whose databases lie in a folder."""
    found: dict[tuple[str, str], StoredStream] = {}
    with closing(sqlite3.connect(folder / "tables.db")) as tables:
        for run, stream, key, family, table, dataset, length in _parts(folder):
            held = found.setdefault((run, stream), StoredStream())
            if family == "array":
                held.lengths[key] = length
            else:
                rows = tables.execute(f'SELECT seq_num FROM "{table}" WHERE _dataset_id = ?', (dataset,))
                held.numbers += sorted(number for (number,) in rows)
    return found


def _parts(folder: Path) -> Iterator[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / "catalogue.db")) as nodes:
        yield from nodes.execute(PARTS)
