"""What is asked of a search for runs, for the catalogue's server and for its clients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

ROUTE = "run_search"
"""Path of the route below ``/api/v1``, followed by the path of the catalogue."""
SEARCH = "search"
"""Entry of a run's metadata: corrected entries, which replace those of its start document, and what its notes say."""
MOST = 1000
"""Most runs of a page."""
SHOWN = ("start", "stop", "notes", "corrections", "logbook")
"""Entries of a run's metadata that a search returns."""


@dataclass(frozen=True)
class Wanted:
    """Runs that are looked for; what is empty does not matter, capitals never do.

    Attributes
    ----------
    beamline, proposal, edge : str
        The whole entry.
    sample, note : str
        Words, all of which are in the sample, or in the notes of the run.
    uid : str
        Beginning of the uid of a run, its scan set, or one of its reduced runs.
    since, until : float or None
        The run began at this time or later, and before this one, s since 1970.
    """

    beamline: str = ""
    proposal: str = ""
    sample: str = ""
    edge: str = ""
    note: str = ""
    uid: str = ""
    since: float | None = None
    until: float | None = None

    def equal(self) -> dict[str, str]:
        """Entries that must be equal, by their names here."""
        return {key: value for key in ("beamline", "proposal", "edge") if (value := getattr(self, key))}

    def parameters(self) -> dict[str, Any]:
        """As parameters of a request."""
        return {key: value for key, value in vars(self).items() if value not in ("", None)}

    def __bool__(self) -> bool:
        return self != Wanted()


def search_runs(client: Any, wanted: Wanted, newest: int, page: int = 1) -> dict[str, Any] | None:
    """A page of runs that a server finds, as it stores them; None if it has no search.

    Returns
    -------
    dict
        ``runs``, the newest first; ``reduced``, their reduced runs; ``more``, whether there are earlier ones.
    """
    from tiled.client.utils import handle_error

    parameters = {**wanted.parameters(), "newest": min(newest, MOST), "page": page}
    path = "/".join(client.path_parts)
    reply = client.context.http_client.get(f"{client.context.api_uri}{ROUTE}/{path}", params=parameters)
    import httpx  # imported here: most commands search a journal

    if reply.status_code in (httpx.codes.NOT_FOUND, httpx.codes.METHOD_NOT_ALLOWED):
        return None
    found: dict[str, Any] = handle_error(reply).json()
    return found
