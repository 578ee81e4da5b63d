"""A Tiled server as at a facility: PostgreSQL, users with roles, keys that can be revoked."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from string import Template
from typing import Any

import httpx
import yaml
from sqlalchemy.ext.asyncio import create_async_engine
from tiled.alembic_utils import stamp_head
from tiled.authn_database.alembic_constants import ALEMBIC_DIR, ALEMBIC_INI_TEMPLATE_PATH
from tiled.authn_database.core import initialize_database

from beamline.records.catalogue.embedded import make_database
from tests.beamline.tiled_process import WITH_BATCHES, TiledProcess
from tests.helpers.postgres import PostgresServer

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "serve-a-facility.md"
USERS = {"operator": "an operator's word", "admin": "an admin's word"}
WRITER = ["read:metadata", "read:data", "write:metadata", "write:data", "create:node", "delete:node", "delete:revision"]
READER = ["read:metadata", "read:data"]


def block_of(page: Path, language: str) -> str:
    """The first block of code in this language on a page."""
    _, _, rest = page.read_text().partition(f"```{language}\n")
    return rest.partition("```")[0]


class Facility:
    """PostgreSQL, and databases of Tiled that are copied for each server: making one takes seconds."""

    def __init__(self) -> None:
        self.postgres = PostgresServer()
        self.runs, self.users = self.postgres.database(), self.postgres.database()
        make_database(self.runs.replace("postgresql:", "postgresql+asyncpg:"))
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

    def __init__(self, directory: Path, facility: Facility, kind: str = WITH_BATCHES) -> None:
        postgres = facility.postgres
        self._databases = [postgres.database(facility.runs), postgres.database(), postgres.database(facility.users)]
        super().__init__(directory, None, kind)

    def _configuration(self) -> dict[str, object]:
        """That of the documentation, with the places and users of this test."""
        runs, columns, users = self._databases
        text = Template(block_of(PAGE, "yaml")).substitute(
            RUNS=runs, COLUMNS=columns, USERS=users, ARRAYS=self._directory / "arrays", PORT=self.port,
            PROVIDER="toy", AUTHENTICATOR="tiled.authenticators:DictionaryAuthenticator",
            ARGUMENTS=json.dumps({"users_to_passwords": USERS}), SECRET="a secret of tests",
        )  # fmt: skip
        configuration: dict[str, Any] = yaml.safe_load(text)
        (tree,) = configuration["trees"]
        tree["tree"] = self._kind
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
            token = http.post("provider/toy/token", data=word).raise_for_status().json()["access_token"]
            headers = {"Authorization": f"Bearer {token}"}
            reply = http.request(method, path, json=body, headers=headers).raise_for_status()
            return json.loads(reply.content or b"null")
