"""What keeps a Tiled server from being the catalogue, in one sentence; it takes three requests."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

REPLY_TIMEOUT = 2.0
"""Seconds."""
SPEC = "CatalogOfBlueskyRuns"


@dataclass(frozen=True)
class ServerFault:
    """A fault of a server: the sentence, and what to do. With a `minor` one the catalogue can be used."""

    message: str
    remedy: str
    minor: bool = False


def server_fault(where: str, key: str | None, timeout: float = REPLY_TIMEOUT) -> ServerFault | None:
    """Look for the fault of the Tiled server at an address; None if runs can be stored there.

    Parameters
    ----------
    where : str
        Address of the server, or of a tree in it.
    key : str or None
        API key; it does not appear in the result.
    timeout : float
        Timeout of a request, s.
    """
    import httpx  # imported here: most commands ask no server

    root, _, tree = where.rstrip("/").partition("/api/v1/metadata")
    headers = {"Authorization": f"Apikey {key}"} if key else {}
    try:
        with httpx.Client(base_url=f"{root}/api/v1/", headers=headers, timeout=timeout) as http:
            reply = http.get(f"metadata/{tree.lstrip('/')}")
            return (
                _refusal(reply, where, key)
                or _of_tree(reply, where)
                or _of_writing(http.get(f"run_batch/{tree.lstrip('/')}"), where)
                or _of_version(http.get(""), where)
            )
    except httpx.HTTPError as error:
        return _unreachable(where, error)


def _unreachable(where: str, error: httpx.HTTPError) -> ServerFault:
    if certificate := _certificate_error(error):
        remedy = "Correct the address, or let SSL_CERT_FILE name the certificate of your facility's authority."
        return ServerFault(f"the certificate of {where} is not accepted: {certificate}", remedy)
    return ServerFault(f"{where} does not answer ({type(error).__name__})", _to_start(where))


def _to_start(where: str) -> str:
    return (
        f"Start the Tiled server at {where} (after an update of Tiled its database may have to be upgraded first, with"
        " `tiled catalog upgrade-database`); documents stay in the journal until then."
    )


def _certificate_error(error: BaseException | None) -> str:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message
        error = error.__cause__ or error.__context__
    return ""


def _refusal(reply: httpx.Response, where: str, key: str | None) -> ServerFault | None:
    if reply.status_code in (401, 403):
        remedy = "Ask the server's administrator for a key; put it into data.catalogue_key_file or TILED_API_KEY."
        return ServerFault(f"{where} refuses the API key" if key else f"{where} needs an API key", remedy)
    if reply.status_code >= 500:
        return ServerFault(f"{where} answers with error {reply.status_code}", _to_start(where))
    if reply.status_code == 404:
        return ServerFault(f"{where} has no tree of that name", "Correct data.catalogue.")
    return None


def _of_tree(reply: httpx.Response, where: str) -> ServerFault | None:
    attributes = _json(reply).get("data", {}).get("attributes")
    if not isinstance(attributes, dict):
        return ServerFault(f"{where} is no Tiled server", "Correct data.catalogue.")
    specs = [spec.get("name") for spec in attributes.get("specs") or ()]
    if SPEC not in specs:
        remedy = f"Give the tree the spec {SPEC} in the server's configuration, or name another tree in data.catalogue."
        return ServerFault(f"the tree at {where} is no catalogue of runs: it lacks the spec {SPEC}", remedy)
    return None


def _of_writing(reply: httpx.Response, where: str) -> ServerFault | None:
    """A server that stores batches tells whether this key may; others have no such address."""
    if reply.status_code not in (401, 403):
        return None
    remedy = "Ask the server's administrator for a key with the scopes of a catalogue writer, and for its tag."
    return ServerFault(f"{where} permits this API key to read, and not to store runs", remedy)


def _of_version(reply: httpx.Response, where: str) -> ServerFault | None:
    theirs, ours = str(_json(reply).get("library_version", "")), version("tiled")
    if theirs.split(".")[:2] == ours.split(".")[:2]:
        return None
    remedy = "Documents stay in the journal if it refuses them; install the same version in both places."
    return ServerFault(
        f"{where} runs Tiled {theirs or 'of an unknown version'}, and {ours} is here", remedy, minor=True
    )


def _json(reply: httpx.Response) -> dict[str, Any]:
    try:
        content = reply.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
