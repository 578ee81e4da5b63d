"""What commands that read runs back have in common: which runs, and where what they say goes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from beamline.config.models import Configuration
    from beamline.records.runs.store import RunStore

WIDTH = 132
"""Characters of a line where the output is no terminal."""

Config = Annotated[str, typer.Option(help="Configuration TOML, or the name of one that comes along.")]
Data = Annotated[Path | None, typer.Option(help="Data root, if it is not that of the configuration.")]
From = Annotated[str, typer.Option("--from", help="journal, or catalogue.")]


@dataclass(frozen=True)
class Stored:
    """A configuration, its runs, and the terminal."""

    config: Configuration
    store: RunStore
    console: Console

    def tell_left_alone(self) -> None:
        """Name what is called like a run and is none."""
        for name, why in self.store.left_alone.items():
            self.console.print(f"left alone: {name}: {why}", markup=False)


@contextlib.contextmanager
def stored(config: str, data: Path | None, source: str) -> Iterator[Stored]:
    """The runs that a command reads; closed afterwards.

    Parameters
    ----------
    config : str
        Configuration TOML, or the name of one that comes along.
    data : Path, optional
        Data root, if it is not that of the configuration.
    source : str
        ``journal`` or ``catalogue``.
    """
    from beamline.records.runs.store import open_runs

    chosen = configuration(config, data)
    store = open_runs(source, chosen.data.root, chosen.data.catalogue_address)
    try:
        yield Stored(chosen, store, terminal())
    finally:
        store.close()


def configuration(config: str, data: Path | None) -> Configuration:
    """A configuration, with this data root if one is given."""
    from beamline.config.models import load

    return with_root(load(config), data)


def with_root(chosen: Configuration, data: Path | None) -> Configuration:
    """The same with another data root, if one is given."""
    if data is None:
        return chosen
    return chosen.model_copy(update={"data": chosen.data.model_copy(update={"root": data})})


def terminal() -> Console:
    """The terminal, or lines that are long enough for tables."""
    found = Console(highlight=False, soft_wrap=False)
    return found if found.is_terminal else Console(highlight=False, width=WIDTH)
