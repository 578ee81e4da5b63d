"""A route of a Tiled server that stores a whole batch of a run in one request.

Tiled creates and fills one node per request. A run has some forty nodes, each of which costs the server two requests
of some fifty milliseconds of processor time. This route inserts the nodes of a batch in one transaction, and leaves in
database and storage what those requests would have left, so that any client of Tiled reads it.

The embedded catalogue has it; a server has it with ``tree: beamline.records.catalogue.batches:catalogue`` in place of
``tree: catalog`` in its configuration. Without it, the catalogue writer sends the requests one by one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from functools import partial
from typing import Annotated, Any

import msgpack
from fastapi import APIRouter, Depends, HTTPException, Request, Security
from tiled.catalog import from_uri
from tiled.server.authentication import check_scopes

from beamline.records.catalogue.access import Find, Principal, Scopes, Tags
from beamline.records.catalogue.access_tags import tags_of_run
from beamline.records.catalogue.batch_nodes import Collision, require_names, store_batch
from beamline.records.catalogue.run_table import prepare
from beamline.records.catalogue.search import router as search_router

ROUTE = "run_batch"
"""Path of the route below ``/api/v1``, followed by the path of the catalogue."""
VERSION = 1
"""Version of the format of a batch, in the reply to GET."""
SCOPES = ["write:metadata", "write:data", "create:node"]

router = APIRouter()


def catalogue(uri: str, **arguments: Any) -> Any:
    """Tiled's catalogue in a database, with this route and a search; the arguments are those of ``tree: catalog``."""
    tree = from_uri(uri, **arguments)
    tree.include_routers = [router, search_router]
    tree.startup_tasks.append(partial(prepare, tree.context))
    return tree


async def _entry(path: str, find: Find) -> Any:
    """The catalogue at this path."""
    entry = await find(path, SCOPES)
    context = getattr(entry, "context", None)
    if context is None or context.streaming_cache or context.webhook_dispatcher:
        raise HTTPException(405, "Batches are not stored here: subscribers and web hooks are notified of single nodes.")
    return entry


async def _access_tags(request: Request, principal: Principal, tags: Tags, scopes: Scopes) -> list[str]:
    """Tags that the server's access policy gives to a new node of this principal; none without a policy."""
    policy = getattr(request.app.state, "access_policy", None)
    if policy is None or not hasattr(policy, "init_node"):
        return []
    try:
        _, chosen = await policy.init_node(principal, tags, scopes, access_tags=None)
    except ValueError as error:
        raise HTTPException(403, f"The access policy refuses the run: {error}") from error
    return sorted(chosen or [])


def _tags_of(batch: Any, access_tags: Collection[str]) -> set[str]:
    """Tags of the run of a batch, on a server that has tags."""
    start = (batch["run"] or {}).get("start", {})
    return {*access_tags, *tags_of_run(start)} if access_tags else set()


Entry = Annotated[Any, Depends(_entry)]
AccessTags = Annotated[list[str], Depends(_access_tags)]
Allowed = Annotated[None, Security(check_scopes, scopes=SCOPES)]


@router.get(f"/{ROUTE}/{{path:path}}")
async def version(entry: Entry, _: Allowed) -> dict[str, int]:
    """Report that batches can be stored here."""
    return {"version": VERSION}


@router.post(f"/{ROUTE}/{{path:path}}")
async def store(
    request: Request, path: str, entry: Entry, find: Find, access_tags: AccessTags, _: Allowed
) -> dict[str, bool]:
    """Store a batch; see `store_batch`."""
    body = await request.body()
    batch = await asyncio.to_thread(msgpack.unpackb, body)
    if batch["run"] is None:
        await find(f"{path}/{batch['uid']}", SCOPES)  # a run of others may be closed to this principal
    try:
        require_names(batch)
        await store_batch(entry, batch, _tags_of(batch, access_tags))
    except ValueError as error:
        raise HTTPException(400, str(error)) from error
    except Collision as error:
        raise HTTPException(409, str(error)) from error
    except LookupError as error:
        raise HTTPException(404, str(error)) from error
    return {"stored": True}
