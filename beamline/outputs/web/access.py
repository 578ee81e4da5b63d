"""Who may see the page and who may write notes: everybody on this machine, elsewhere who has a token."""

from __future__ import annotations

import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from beamline.config.own_files import open_own
from beamline.config.secrets import SecretError

Role = Literal["none", "read", "write"]
ROLES: tuple[Role, ...] = ("read", "write")
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True)
class Access:
    """Tokens by role; without any, everybody who reaches the page may write notes.

    Attributes
    ----------
    tokens : dict
    hosts : frozenset of str or None
        Names by which a browser may ask for the page; any, if None.
    """

    tokens: dict[Role, str]
    hosts: frozenset[str] | None = None

    def role(self, authorization: str) -> Role:
        """The role of a request by its header ``Authorization``; all tokens are compared, in constant time."""
        if not self.tokens:
            return "write"
        scheme, _, given = authorization.partition(" ")
        found: Role = "none"
        for role, token in self.tokens.items():
            if hmac.compare_digest(given.encode(), token.encode()) and scheme == "Bearer":
                found = role
        return found

    def is_asked_by_name(self, host: str) -> bool:
        """Whether a request has a permitted name in ``Host``: another site's name may lead to this machine."""
        return self.hosts is None or _name(host) in self.hosts


def _name(host: str) -> str:
    """The name in a header ``Host``, without its port and the brackets of an address."""
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0].lower()


def access_for(host: str, file: Path | None) -> Access:
    """Access to a page that listens at an address.

    On this machine alone no token is needed, unless a file is given; elsewhere two are made, or those of the file used.

    Raises
    ------
    beamline.config.secrets.SecretError
        If others can read the file, or it has no two tokens.
    """
    if file is not None:
        return Access(kept_tokens(file))
    if host in LOOPBACK:
        return Access({}, LOOPBACK)
    return Access(new_tokens())


def new_tokens() -> dict[Role, str]:
    """A token for each role, of 32 random bytes."""
    return {role: secrets.token_urlsafe(32) for role in ROLES}


def kept_tokens(path: Path) -> dict[Role, str]:
    """The tokens of an owner-only file, which is made if it does not exist: for reading, and for writing notes."""
    if not path.exists():
        made = new_tokens()
        with open(open_own(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123
            file.write("\n".join(made.values()) + "\n")
        return made
    with open(open_own(path, os.O_RDONLY), "rb") as opened:  # noqa: PTH123 - a descriptor
        status = os.fstat(opened.fileno())
        if status.st_uid != os.geteuid() or status.st_mode & 0o077:
            raise SecretError(
                f"the file with the tokens, {path}, must be readable by its owner alone: chmod 600 {path}"
            )
        lines = opened.read(4096).decode("utf-8", "replace").split()
    if len(lines) != len(ROLES) or len({*lines}) != len(ROLES) or min(map(len, lines)) < 16:
        raise SecretError(f"the file with the tokens, {path}, has no two different lines of 16 characters; remove it")
    return dict(zip(ROLES, lines, strict=True))


def links(host: str, port: int, access: Access) -> dict[str, str]:
    """Links to the page by what they allow; a token stands behind ``#``, which browsers do not send."""
    there = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
    if not access.tokens:
        return {"page": there}
    return {
        "page, read-only": f"{there}#{access.tokens['read']}",
        "page, with writing of notes": f"{there}#{access.tokens['write']}",
    }
