"""A Tiled server as at a facility: PostgreSQL, users with roles, keys that can be revoked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import yaml
from sqlalchemy.ext.asyncio import create_async_engine
from tiled.alembic_utils import stamp_head
from tiled.authn_database.alembic_constants import ALEMBIC_DIR, ALEMBIC_INI_TEMPLATE_PATH
from tiled.authn_database.core import initialize_database

from beamline.records.catalogue.embedded import make_database
from beamline.records.catalogue.roles import enter_roles
from tests.beamline.tiled_process import WITH_BATCHES, TiledProcess
from tests.helpers.pages import Page
from tests.helpers.postgres import PostgresServer

Serve = Callable[..., "FacilityServer"]
"""Starts a server of a test."""
PAGE = Page("how-to/serve-a-facility.md")
USERS = {name: f"the word of {name}" for name in ("operator", "admin", "scientist", "alice", "bob")}
ROLES = yaml.safe_load(PAGE.files["/etc/trxas/tags.yml"])
WRITER, READER = (ROLES["roles"][name]["scopes"] for name in ("writer", "reader"))


class Facility:
    """PostgreSQL, and databases of Tiled that are copied for each server: making one takes seconds."""

    def __init__(self) -> None:
        self.postgres = PostgresServer()
        self.runs, self.users = self.postgres.database(), self.postgres.database()
        make_database(self.runs.replace("postgresql:", "postgresql+asyncpg:"))
        asyncio.run(enter_roles(ROLES, self.runs))
        _make_users(self.users.replace("postgresql:", "postgresql+asyncpg:"))


def _make_users(uri: str) -> None:
    """As ``tiled admin initialize-database``."""

    async def create() -> None:
        engine = create_async_engine(uri)
        await initialize_database(engine)
        await engine.dispose()

    asyncio.run(create())
    stamp_head(ALEMBIC_INI_TEMPLATE_PATH, ALEMBIC_DIR, uri)


class FacilityServer(TiledProcess):
    """``tiled serve`` with its catalogue, its tables and its users in PostgreSQL."""

    def __init__(
        self,
        directory: Path,
        facility: Facility,
        kind: str = WITH_BATCHES,
        numbers: str = "",
        elsewhere: Path | None = None,
    ) -> None:
        postgres = facility.postgres
        self.runs, self.users = postgres.database(facility.runs), postgres.database(facility.users)
        databases = {"RUNS": self.runs, "NUMBERS": numbers or postgres.database(), "USERS": self.users}
        super().__init__(directory, None, kind)
        self.environment |= {name: postgres.without_password(uri) for name, uri in databases.items()}
        self.environment |= {"ARRAYS": str(elsewhere or directory / "arrays"), "SECRET": "a secret of tests"}
        self.environment |= postgres.environment

    def _configuration(self) -> dict[str, object]:
        """That of the documentation, with the port and the users of this test."""
        configuration: dict[str, Any] = yaml.safe_load(PAGE.files["/etc/trxas/tiled.yml"])
        configuration["trees"][0]["tree"] = self._kind
        (provider,) = configuration["authentication"]["providers"]
        provider["authenticator"] = "tiled.authenticators:DictionaryAuthenticator"
        provider["args"] = {"users_to_passwords": USERS}
        configuration["uvicorn"]["port"] = self.port
        return configuration

    def new_key(self, scopes: list[str], user: str = "operator") -> str:
        """An API key of a user, restricted to these scopes."""
        reply = self._request("POST", "apikey", user, {"scopes": scopes, "expires_in": 3600})
        return str(reply["secret"])

    def revoke(self, key: str, user: str = "operator") -> None:
        """Revoke a key: it is refused from now on."""
        self._request("DELETE", f"apikey?first_eight={key[:8]}", user)

    def _request(self, method: str, path: str, user: str, body: Any = None) -> Any:
        with httpx.Client(base_url=f"{self.uri}/api/v1/auth/", timeout=60) as http:
            word = {"username": user, "password": USERS[user], "grant_type": "password"}
            token = http.post("provider/facility/token", data=word).raise_for_status().json()["access_token"]
            headers = {"Authorization": f"Bearer {token}"}
            reply = http.request(method, path, json=body, headers=headers).raise_for_status()
            return json.loads(reply.content or b"null")


OF_NODES = """
select tags.name as tag, nodes.id as node from nodes as runs
join nodes_closure on ancestor = runs.id join nodes on nodes.id = descendant
left join node_access_tags_association as held on held.node_id = nodes.id
left join access_tags as tags on tags.id = held.tag_id
where runs.key = $1
"""


def access_tags(server: FacilityServer, uid: str) -> set[frozenset[str]]:
    """The tags of all nodes of a run: one set if each node has the same."""

    async def read() -> list[Any]:
        connection = await asyncpg.connect(server.runs)
        try:
            return list(await connection.fetch(OF_NODES, uid))
        finally:
            await connection.close()

    found: dict[int, set[str]] = {}
    for row in asyncio.run(read()):
        found.setdefault(row["node"], set()).add(row["tag"])
    assert len(found) > 4
    return {frozenset(tags) for tags in found.values()}
