"""Roles by proposal in a Tiled server: who sees which runs, from when on, and who may store any."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from beamline.records.catalogue import roles
from beamline.records.catalogue.access_tags import tags_of_run
from beamline.records.catalogue.client import list_runs
from beamline.records.catalogue.health import server_fault
from beamline.records.catalogue.roles import enter_roles
from beamline.records.catalogue.wanted import Wanted
from beamline.records.catalogue_writer import write
from beamline.records.catalogue_writer.loop import CatalogueWriter
from beamline.records.runs.search import runs_named, search
from beamline.records.runs.store import CatalogueRuns
from tests.beamline.catalogue_writing import Announce, Open, write_catalogue
from tests.beamline.example_runs import raw_run, uid_of_run
from tests.beamline.expected_catalogue import assert_holds
from tests.beamline.facility_server import READER, ROLES, WRITER, FacilityServer, Serve, access_tags
from tests.beamline.test_catalogue_batches import failing, step_through


def defined(server: FacilityServer, **members: str) -> None:
    """Enter the roles of the page, and a member of each of these proposals."""
    more = {f"proposal:{name}": {"users": [{"name": member, "role": "reader"}]} for name, member in members.items()}
    asyncio.run(enter_roles(ROLES | {"tags": ROLES["tags"] | more}, server.runs))


@pytest.fixture
def with_key(opened: Open, monkeypatch: pytest.MonkeyPatch) -> Callable[[FacilityServer, str], Any]:
    """A client with the reader's key of a user."""

    def open_one(server: FacilityServer, user: str) -> Any:
        monkeypatch.setenv("TILED_API_KEY", server.new_key(READER, user))
        return opened(server.uri)

    return open_one


@pytest.mark.long
def test_members_see_their_proposal_from_when_it_is_defined_until_it_is_not(
    announce: Announce, tmp_path: Path, serve: Serve, with_key: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve()
    runs = raw_run(2, seed=1, proposal="GUP9", beamline_name="7-ID-D"), raw_run(2, seed=2, proposal="GUP10")
    for run in runs:
        announce(run)
    monkeypatch.setenv("TILED_API_KEY", server.new_key(WRITER, "alice"))
    fault = server_fault(server.uri, server.new_key(WRITER, "alice"))
    assert fault is not None and "and not to store runs" in fault.message
    assert not write_catalogue(tmp_path, server.uri, patience=2.0)
    monkeypatch.setenv("TILED_API_KEY", server.new_key(WRITER))
    assert server_fault(server.uri, server.new_key(WRITER)) is None
    assert write_catalogue(tmp_path, server.uri)

    bobs, scientists = with_key(server, "bob"), with_key(server, "scientist")
    assert list_runs(bobs) == []
    assert_holds(scientists, runs[0])
    for _ in range(2):
        defined(server, GUP9="bob")
        assert_holds(bobs, runs[0])
        defined(server)
        assert list_runs(bobs) == []
    with pytest.raises(KeyError):
        bobs[uid_of_run(runs[0])]


@pytest.mark.long
def test_a_proposal_finds_and_reads_its_own_runs_alone(
    announce: Announce, tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What list, show and export ask for: pages, names and all runs, as the server gives them to each user."""
    server = serve()
    ours = raw_run(2, seed=1, proposal="GUP-1234", sample="lead"), raw_run(2, seed=2, proposal="GUP-1234")
    others = raw_run(2, seed=3, proposal="GUP-9", sample="lead", beamline_name="7-ID-D")
    for run in (*ours, others):
        announce(run)
    monkeypatch.setenv("TILED_API_KEY", server.new_key(WRITER))
    assert write_catalogue(tmp_path, server.uri)
    mine, theirs = {uid_of_run(run) for run in ours}, uid_of_run(others)
    members: list[tuple[str, set[str]]] = [("alice", mine), ("bob", set()), ("scientist", {theirs})]
    for user, seen in members:
        store = CatalogueRuns(server.uri, server.new_key(READER, user))
        assert {run.uid for run in search(store, Wanted(), 20).rows} == seen
        assert {run.uid for run in search(store, Wanted(sample="lead"), 20).rows} == seen - {uid_of_run(ours[1])}
        assert {run.uid for run in runs_named(store, [theirs[:8]])} <= seen
        assert {run.uid for run in store.runs()} == seen
        if theirs not in seen:
            with pytest.raises(KeyError):
                next(iter(store.documents(theirs)))
        store.close()


@pytest.mark.long
def test_nodes_that_are_stored_singly_get_the_tags_of_their_run(
    announce: Announce, tmp_path: Path, serve: Serve, with_key: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve()
    failures = ["none", "before"]
    monkeypatch.setattr(write, "send_batch", failing(write.send_batch, failures))
    run = raw_run(6, seed=1, proposal="GUP-1234")
    monkeypatch.setenv("TILED_API_KEY", server.new_key(WRITER))
    writer = CatalogueWriter(tmp_path, server.uri, linger=0.0)
    assert step_through(writer, announce, run, 3) and not failures
    writer.close()
    assert access_tags(server, uid_of_run(run)) == {frozenset({"user:operator", "proposal:GUP-1234"})}
    assert_holds(with_key(server, "alice"), run)


def test_no_name_of_a_proposal_is_that_of_another_kind_of_tag() -> None:
    assert tags_of_run({"proposal": " public ", "beamline_name": "user:a"}) == {"proposal:public", "beamline:user:a"}
    assert tags_of_run({"proposal": "", "beamline_name": None}) == set()
    assert {len(tag) for tag in tags_of_run({"proposal": "x" * 400})} == {255}


@pytest.mark.parametrize(
    ("text", "address", "reason"),
    [
        ("tags: {a: {users: [{name: b, role: none}]}}", "sqlite+aiosqlite:///{}/roles.db", "Role is not defined"),
        ("tags: [", "sqlite+aiosqlite:///{}/roles.db", "while parsing"),
        ("tags: {}", "postgresql://tiled:word-of-tests@localhost/runs", "move it to ~/.pgpass"),
    ],
)
def test_roles_that_cannot_be_entered_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, address: str, reason: str
) -> None:
    (tmp_path / "tags.yml").write_text(text)
    assert roles.main([str(tmp_path / "tags.yml"), address.format(tmp_path)]) == 1
    printed = capsys.readouterr().err
    assert reason in printed and "word-of-tests" not in printed
