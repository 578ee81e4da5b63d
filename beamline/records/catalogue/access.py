"""Finds nodes of a Tiled server for the principal of a request, for the routes that trxas adds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

from fastapi import Depends, Request
from tiled.server.authentication import (
    get_current_access_tags,
    get_current_principal,
    get_current_scopes,
    get_session_state,
)
from tiled.server.dependencies import get_entry, get_root_tree

Principal = Annotated[Any, Depends(get_current_principal)]
Tags = Annotated[Any, Depends(get_current_access_tags)]
Scopes = Annotated[Any, Depends(get_current_scopes)]
Root = Annotated[Any, Depends(get_root_tree)]
SessionState = Annotated[Any, Depends(get_session_state)]


async def _finder(
    request: Request, principal: Principal, tags: Tags, scopes: Scopes, root: Root, session: SessionState
) -> Callable[[str, Sequence[str]], Awaitable[Any]]:
    """Finds the node at a path, if the access policy gives this principal these scopes there."""
    policy = getattr(request.app.state, "access_policy", None)

    async def find(path: str, needed: Sequence[str]) -> Any:
        metrics = request.state.metrics
        return await get_entry(path, list(needed), principal, tags, scopes, root, session, metrics, None, policy)

    return find


Find = Annotated[Callable[[str, Sequence[str]], Awaitable[Any]], Depends(_finder)]
