"""Secrets: read from files that only their owner can read, never from an address, a command line or a document."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from beamline.config.own_files import open_own

KEY_WORDS = ("api_key", "apikey", "key", "token", "access_token", "password", "secret")
"""Names in the query of an address that stand for a secret."""


class SecretError(ValueError):
    """A secret is not stored safely; the message names where it belongs."""


def refuse_secret(address: str, name: str, instead: str) -> str:
    """The address, if it contains no secret.

    Parameters
    ----------
    address : str
        A URI, which will be logged, stored and shown.
    name : str
        Of the configuration entry or option, for the message.
    instead : str
        Where the secret belongs.

    Raises
    ------
    SecretError
        Without the address, which must not be printed.
    """
    parts = urlsplit(address)
    in_query = any(key.lower() in KEY_WORDS for key, _ in parse_qsl(parts.query, keep_blank_values=True))
    if in_query or "@" in parts.netloc:
        raise SecretError(f"{name}: this address contains a key or password; move it to {instead}")
    return address


def read_secret(path: Path) -> str:
    """The first line of an owner-only file.

    Raises
    ------
    SecretError
        If it is missing, empty, a link, or others could read it.
    """
    try:
        descriptor = open_own(path, os.O_RDONLY)
    except OSError as error:
        raise SecretError(f"the file with the key cannot be read: {error}") from None
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor
        state = os.fstat(file.fileno())
        if state.st_uid != os.geteuid() or state.st_mode & 0o077:
            raise SecretError(f"the file with the key, {path}, must be readable by its owner alone: chmod 600 {path}")
        lines = file.read(4096).decode("utf-8", "replace").split()
    if not lines:
        raise SecretError(f"the file with the key, {path}, is empty")
    return lines[0]
