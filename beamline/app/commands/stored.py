"""Shared by the commands that read stored runs: the runs, and the terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from beamline.config.data_root import ConfigurationError, DataPlace, place_of

if TYPE_CHECKING:
    from beamline.config.models import Configuration
    from beamline.outputs.export.result import Result
    from beamline.records.runs.store import RunStore

WIDTH = 132
"""Characters per line if the output is not a terminal."""

Config = Annotated[str, typer.Option(help="Configuration TOML, or the name of a packaged one.")]
Data = Annotated[Path | None, typer.Option(help="Data root, overriding the configuration.")]
Roots = Annotated[
    list[Path] | None,
    typer.Option("--data", help="Data root, overriding the configuration; a second one is searched for REF."),
]


def complete_uid(ctx: typer.Context, incomplete: str) -> list[str]:
    """Uids of runs and scan sets in the journal that begin so, for the shell's completion."""
    from beamline.records.runs.run_index import RunIndex

    data = ctx.params.get("data")
    root = next(iter(data), None) if isinstance(data, list | tuple) else data
    with contextlib.suppress(ConfigurationError):
        return RunIndex(place_of(ctx.params.get("config") or "simulated", root).root).uids(incomplete.lower())
    return []


uid_argument = partial(typer.Argument, autocompletion=complete_uid)
uid_option = partial(typer.Option, autocompletion=complete_uid)
From = Annotated[str, typer.Option("--from", help="journal, or catalogue.")]


@dataclass(frozen=True)
class Stored:
    """Runs, where they are kept, and the terminal.

    Attributes
    ----------
    place : DataPlace
    load : callable
        Loads the whole configuration.
    store : RunStore
    console : Console
    """

    place: DataPlace
    load: Callable[[], Configuration]
    store: RunStore
    console: Console

    @cached_property
    def config(self) -> Configuration:
        """The whole configuration; its models take a third of a second."""
        return self.load()

    def report_left_alone(self) -> None:
        """Report files that are named like runs but are not."""
        for name, why in self.store.left_alone.items():
            self.console.print(f"left alone: {name}: {why}", markup=False)


@contextlib.contextmanager
def stored(config: str, data: Path | None, source: str) -> Iterator[Stored]:
    """Open the runs that a command reads, and close them afterwards.

    Parameters
    ----------
    config : str
        Configuration TOML, or the name of a packaged one.
    data : Path, optional
        Data root, overriding the configuration.
    source : str
        ``journal`` or ``catalogue``.
    """
    from beamline.records.runs.store import open_runs

    place = place_of(config, data)
    load = partial(configuration, config, data)
    store = open_runs(source, *place, None if source == "journal" else load().data.catalogue_key())
    try:
        yield Stored(place, load, store, terminal())
    finally:
        store.close()


def report_damage(console: Console, results: Iterable[Result]) -> None:
    """Report what of the runs of some results cannot be read now."""
    for sentence in dict.fromkeys(result.damage for result in results if result.damage):
        console.print(sentence, markup=False, soft_wrap=True)


def configuration(config: str, data: Path | None) -> Configuration:
    """Load a configuration, with this data root if given."""
    from beamline.config.models import load

    return with_root(load(config), data)


def with_root(chosen: Configuration, data: Path | None) -> Configuration:
    """A configuration with this data root, if given."""
    if data is None:
        return chosen
    from pydantic import ValidationError

    from beamline.config.models import ConfigurationError, Data

    try:
        there = Data.model_validate({**chosen.data.model_dump(), "root": data})
    except ValidationError as error:
        raise ConfigurationError(f"--data: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from error
    return chosen.model_copy(update={"data": there})


def terminal() -> Console:
    """The terminal, or a wide console for tables."""
    found = Console(highlight=False, soft_wrap=False)
    return found if found.is_terminal else Console(highlight=False, width=WIDTH)
