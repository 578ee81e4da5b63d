"""A batch leaves in the catalogue what Tiled's own requests leave, whole or not at all."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from beamline.records.catalogue import batch_files
from beamline.records.catalogue_writer import loop, write
from beamline.records.catalogue_writer.batch import send_batch
from beamline.records.catalogue_writer.loop import CatalogueWriter
from tests.beamline.catalogue_writing import Announce, Open, write_catalogue
from tests.beamline.example_runs import Documents, raw_run, reduced_run, uid_of_run
from tests.beamline.expected_catalogue import assert_holds

NODES = """
select parents.key, nodes.key, nodes.structure_family, nodes.metadata, nodes.specs, structures.structure,
       data_sources.mimetype, data_sources.management, data_sources.properties, data_sources.parameters,
       assets.data_uri, assets.is_directory, links.parameter, links.num,
       (select count(*) from nodes_closure where descendant = nodes.id)
from nodes join nodes as parents on parents.id = nodes.parent
left join data_sources on data_sources.node_id = nodes.id
left join structures on structures.id = data_sources.structure_id
left join data_source_asset_association as links on links.data_source_id = data_sources.id
left join assets on assets.id = links.asset_id
order by parents.key, nodes.key
"""


def nodes_of(catalogue: Path) -> list[tuple[Any, ...]]:
    """All that the database holds of its nodes, but for the number of each table and the folder of each batch."""
    with sqlite3.connect(catalogue / "catalogue.db") as database:
        rows = database.execute(NODES).fetchall()
    assert len(rows) > 20
    replaced = [tuple(str(value).replace(str(catalogue), "...") for value in row) for row in rows]
    without = [tuple(value.partition('"dataset_id"')[0] for value in row) for row in replaced]
    return [tuple(re.sub(r"/[0-9a-f]{12}/", "/", value) for value in row) for row in without]


def test_it_leaves_what_single_requests_leave(
    announce: Announce, tmp_path: Path, catalogue: Path, empty_catalogue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for documents in (raw_run(3, seed=1), reduced_run(2, energies=5, seed=2), raw_run(0, seed=3)):
        announce(documents)
    assert write_catalogue(tmp_path, catalogue)
    other = tmp_path / "other" / "catalogue"
    other.mkdir(parents=True)
    (other / "catalogue.db").write_bytes((empty_catalogue / "catalogue.db").read_bytes())
    monkeypatch.setattr(loop, "takes_batches", lambda client: False)
    assert write_catalogue(tmp_path, other)
    assert nodes_of(catalogue) == nodes_of(other)


HOLD = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1], isolation_level=None) as tables:
    tables.execute("BEGIN IMMEDIATE")
    print("held", flush=True)
    input()
"""
"""Another process, as locks of SQLite are those of a process."""


def test_it_waits_for_another_process_that_writes_to_the_tables(
    announce: Announce, tmp_path: Path, catalogue: Path, opened: Open, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    """As the helper of a catalogue writer does; each request that failed costs a run all its single requests."""
    announce(first := raw_run(3, seed=1))
    assert write_catalogue(tmp_path, catalogue)
    announce(second := raw_run(3, seed=2))
    command = [sys.executable, "-c", HOLD, str(catalogue / "tables.db")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        waiting = SimpleNamespace(monotonic=time.monotonic, sleep=lambda _: other.communicate("\n"))
        monkeypatch.setattr(batch_files, "time", waiting)
        assert write_catalogue(tmp_path, catalogue)
        assert other.returncode == 0  # it was waited for
    assert "HTTPStatusError" not in caplog.text
    assert_holds(opened(catalogue), first, second)


Send = Callable[[Any, dict[str, Any]], None]


def failing(send: Send, failures: list[str]) -> Send:
    """Sends batches, of which some fail before they are stored, and of some the reply is lost."""

    def fail(client: Any, batch: dict[str, Any]) -> None:
        failure = failures.pop(0) if failures else "none"
        if failure == "before":
            raise httpx.ConnectError("refused")
        send(client, batch)
        if failure == "after":
            raise httpx.ReadError("lost")

    return fail


def step_through(writer: CatalogueWriter, announce: Announce, documents: Documents, pieces: int) -> bool:
    """Announce a run in pieces, each stored or tried before the next."""
    size = -(-len(documents) // pieces)
    for start in range(0, len(documents), size):
        announce(documents[start : start + size])
        writer.step()
        writer.step()
    return writer.until_idle(lambda: False)


@pytest.mark.parametrize(
    ("pieces", "failures"),
    [
        pytest.param(1, ["after"], marks=pytest.mark.long),
        (1, ["before", "after"]),
        (3, ["after"]),
        (3, ["none", "after"]),
        pytest.param(1, ["after", "before", "after"], marks=pytest.mark.long),
        pytest.param(3, ["none", "before"], marks=pytest.mark.long),
        pytest.param(3, ["none", "none", "after"], marks=pytest.mark.long),
        pytest.param(4, ["before", "after", "none"], marks=pytest.mark.long),
    ],
)
def test_a_batch_that_fails_or_whose_reply_is_lost_is_stored_once(
    announce: Announce,
    tmp_path: Path,
    catalogue: Path,
    opened: Open,
    monkeypatch: pytest.MonkeyPatch,
    pieces: int,
    failures: list[str],
) -> None:
    monkeypatch.setattr(write, "send_batch", failing(write.send_batch, failures))
    run, following = raw_run(6, seed=1), raw_run(2, seed=2)
    writer = CatalogueWriter(tmp_path, catalogue, linger=0.0)
    assert step_through(writer, announce, run, pieces)
    assert not failures
    announce(following)
    assert writer.until_idle(lambda: False)
    writer.close()
    assert_holds(opened(catalogue), run, following)


def test_names_that_lead_out_of_the_folder_are_refused(tmp_path: Path, catalogue: Path, opened: Open) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    client = opened(catalogue)
    for bad in ("uid", "stream", "array"):
        names = {"uid": "u", "stream": "primary", "array": "a"} | {bad: f"../../../../../../../..{precious}"}
        array = {"key": names["array"], "dtype": "<f8", "shape": [1], "offset": 0, "data": bytes(8)}
        array |= {"metadata": {}, "dims": ["time"]}
        stream = {"name": names["stream"], "metadata": {}, "arrays": [array], "table": None}
        batch = {"uid": names["uid"], "run": {"start": {}}, "streams": [stream], "close": None}
        with pytest.raises(Exception, match="no name of a run, stream or array"):
            send_batch(client, batch)
    assert precious.is_dir() and not list(client)


@pytest.mark.long
def test_a_run_that_is_removed_from_the_catalogue_meanwhile_is_stored_whole(
    announce: Announce, tmp_path: Path, catalogue: Path, opened: Open
) -> None:
    run = raw_run(6, seed=1)
    announce(run[:8])
    writer = CatalogueWriter(tmp_path, catalogue, linger=0.0)
    writer.until_idle(lambda: False)
    client = opened(catalogue)
    client[uid_of_run(run)].delete(recursive=True, external_only=False)
    announce(run[8:])
    assert writer.until_idle(lambda: False)
    writer.close()
    assert_holds(client, run)


def test_a_change_of_configuration_in_the_first_and_in_a_later_batch_is_stored(
    announce: Announce, tmp_path: Path, catalogue: Path, opened: Open
) -> None:
    *documents, stop = raw_run(2)
    _, first = next(item for item in documents if item[0] == "descriptor" and item[1]["name"] == "primary")
    changes = [("descriptor", first | {"uid": uid, "configuration": {}}) for uid in ("second", "third")]
    writer = CatalogueWriter(tmp_path, catalogue, linger=0.0)
    for piece in ([*documents, changes[0]], [changes[1], stop]):
        announce(piece)
        writer.until_idle(lambda: False)
    writer.close()
    metadata = opened(catalogue)[uid_of_run(documents)].base["primary"].metadata
    assert [update["uid"] for update in metadata["_config_updates"]] == ["second", "third"]
