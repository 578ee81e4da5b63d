"""The routes of the page: its files, the state since a version, and notes."""

from __future__ import annotations

import importlib.util
import json
import time
from collections.abc import Awaitable, Callable
from functools import lru_cache
from gzip import compress
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from beamline.outputs.web.access import Access
from beamline.outputs.web.board import Board
from beamline.records.journal import JournalError
from beamline.records.logbook import LogbookError
from beamline.session.notes import write_note

STATIC = Path(__file__).parent / "static"
FILES = {
    "index.html": "text/html; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "plots.js": "text/javascript; charset=utf-8",
    "tables.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
POLICY = "; ".join(
    (
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'",
        "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
    )
)  # fmt: skip
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
MOST_BYTES = 64_000
"""Of the body of a request."""
Handler = Callable[[Request], Awaitable[Response]]


class WebError(Exception):
    """The page cannot be served; the message has the reason and the way out."""


def plotting_library() -> Path:
    """The script of Plotly, which its Python package contains.

    Raises
    ------
    WebError
        Without the package.
    """
    found = importlib.util.find_spec("plotly")
    script = Path(str(found.origin)).parent / "package_data" / "plotly.min.js" if found is not None else None
    if script is None or not script.is_file():
        raise WebError("the page needs Plotly: `make web` installs it (the extra 'web' of this package)")
    return script


def application(board: Board, access: Access, root: Path) -> Starlette:
    """The application.

    Parameters
    ----------
    board : Board
    access : Access
    root : Path
        The data root, for notes.
    """
    pages = _Pages(board, access, root)
    routes = [
        Route("/", pages.file, methods=["GET"]),
        Route("/state", pages.state, methods=["GET"]),
        Route("/notes", pages.note, methods=["POST"]),
        Route("/{name}", pages.file, methods=["GET"]),
    ]
    return Starlette(routes=routes, middleware=[Middleware(BaseHTTPMiddleware, dispatch=pages.guarded)])


class _Pages:
    """The handlers."""

    def __init__(self, board: Board, access: Access, root: Path) -> None:
        self._board, self._access, self._root = board, access, root
        self._plotly = plotting_library()

    async def guarded(self, request: Request, answer: Handler) -> Response:
        """Refuse requests by another site's name, and add the headers."""
        if self._access.is_asked_by_name(request.headers.get("host", "")):
            response = await answer(request)
        else:
            response = refusal(421, "this page is not served by that name")
        response.headers.update({**HEADERS, "Server-Time": f"{time.time():.3f}"})
        return response

    async def file(self, request: Request) -> Response:
        """A file of the page; nothing of the measurement is in it, so that it needs no token."""
        name = request.path_params.get("name", "index.html")
        if name == "plotly.js":
            return _compressed(self._plotly, "text/javascript; charset=utf-8")
        if name not in FILES:
            return refusal(404, "there is no such page")
        return Response((STATIC / name).read_bytes(), media_type=FILES[name], headers={"Cache-Control": "no-cache"})

    async def state(self, request: Request) -> Response:
        """What has changed since a version; status 304 if nothing has."""
        role = self._access.role(request.headers.get("authorization", ""))
        if role == "none":
            return refusal(401, "the link lacks its token, or the page was started anew with another one")
        known = request.query_params.get("since", "")
        headers = {"Cache-Control": "no-store", "Role": role}
        body = self._board.since(known)
        if body is None:
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            body, headers["Content-Encoding"] = self._board.compressed(known, body), "gzip"
        return Response(body, media_type="application/json", headers=headers)

    async def note(self, request: Request) -> Response:
        """Write a note."""
        if self._access.role(request.headers.get("authorization", "")) != "write":
            return refusal(403, "this link is for reading; the other one is for notes")
        if not _is_own(request):
            return refusal(403, "notes are written on the page itself")
        try:
            given = await _given(request)
            note = await run_in_threadpool(write_note, self._root, **given)
        except LogbookError as error:
            return refusal(400, str(error))
        except JournalError as error:
            return refusal(503, str(error))
        return JSONResponse({"written": str(note)}, 201)


def refusal(status: int, why: str) -> Response:
    """An answer that has the reason."""
    return JSONResponse({"error": why}, status)


def _is_own(request: Request) -> bool:
    """Whether the page itself asks: a form of another site has neither its type nor its origin."""
    kind, origin = request.headers.get("content-type", ""), request.headers.get("origin")
    host = request.headers.get("host", "")
    return kind.partition(";")[0] == "application/json" and origin in (None, f"http://{host}", f"https://{host}")


async def _given(request: Request) -> dict[str, Any]:
    """Text and author of a note.

    Raises
    ------
    LogbookError
        If the body is no note.
    """
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise LogbookError("the note is too long")
    try:
        given = json.loads(body)
        return {"text": str(given["text"]), "who": str(given.get("who") or "")}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise LogbookError("a note has a text") from error


@lru_cache(maxsize=1)
def _packed(path: Path) -> bytes:
    return compress(path.read_bytes(), 6, mtime=0)


def _compressed(path: Path, kind: str) -> Response:
    """A large file, compressed once; kept by the browser, as its version is in the lock file of the package."""
    headers = {"Content-Encoding": "gzip", "Cache-Control": "max-age=3600", "ETag": f'"{path.stat().st_mtime_ns:x}"'}
    return Response(_packed(path), media_type=kind, headers=headers)
