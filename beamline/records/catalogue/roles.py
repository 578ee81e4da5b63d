"""Enters into a Tiled server's catalogue who may do what with the runs of which beamline and proposal.

``python -m beamline.records.catalogue.roles tags.yml URI``, as often as the file or a group changes. The file has the
form of Tiled's access tags; members of its groups are those of the groups of this machine. A run keeps its tags when
they are left out of the file, and nobody but its beamline's writer sees it until they are defined again.
"""

from __future__ import annotations

import argparse
import asyncio
import grp
import sys
import warnings
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml


def main(arguments: list[str] | None = None) -> int:
    """Enter a file of roles and tags; exit status 1 if it cannot be."""
    options = _options(arguments)
    try:
        if urlsplit(options.database).password is not None:
            raise ValueError("the address contains a password, which others can read: move it to ~/.pgpass")
        definitions = yaml.safe_load(options.tags.read_text(encoding="utf-8"))
        asyncio.run(enter_roles(definitions, options.database))
    except Exception as error:  # noqa: BLE001 drivers of databases have errors of their own
        print(f"roles: nothing was changed: {error.__cause__ or error}", file=sys.stderr)
        return 1
    return 0


async def enter_roles(definitions: dict[str, Any], database: str) -> None:
    """Replace the definitions of tags in a catalogue's database.

    Parameters
    ----------
    definitions : dict
        ``roles`` and ``tags``, as Tiled describes them.
    database : str
        Its URI.

    Raises
    ------
    ValueError, LookupError, RuntimeError
        When they are not consistent.
    """
    from tiled.access_control.access_tags import AccessTagsCompiler
    from tiled.access_control.scopes import ALL_SCOPES
    from tiled.server.connection_pool import close_database_connection_pool
    from tiled.server.settings import DatabaseSettings

    settings = DatabaseSettings(uri=database)
    compiler = AccessTagsCompiler(ALL_SCOPES, definitions, settings, members_of)
    try:
        compiler.load_tag_config()
        with warnings.catch_warnings():  # tags of earlier proposals are kept with their runs, as they should be
            warnings.filterwarnings("ignore", message="These tags were dropped")
            await compiler.compile()
    finally:
        await close_database_connection_pool(settings)


def members_of(group: str) -> list[str]:
    """Names of the members of a group of this machine, of its directory service included; none without the group."""
    try:
        return grp.getgrnam(group).gr_mem
    except KeyError:
        print(f"roles: this machine has no group {group}; nobody gets its roles", file=sys.stderr)
        return []


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m beamline.records.catalogue.roles", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("tags", type=Path, help="YAML file with roles and tags")
    parser.add_argument("database", help="URI of the catalogue's database, without a password")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
