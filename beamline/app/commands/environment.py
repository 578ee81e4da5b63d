"""The environment of a command that drives a beamline: its configuration, and a simulated beamline if requested."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from beamline.app.commands.stored import with_root

if TYPE_CHECKING:
    from beamline.config.models import Configuration


@contextlib.contextmanager
def beamline_environment(
    config: str, sim: bool, scenario: str | None, speedup: float, console: Console, data: Path | None = None
) -> Iterator[Configuration]:
    """Load a configuration and set its Channel Access environment; with `sim`, start a simulated beamline too.

    Parameters
    ----------
    config : str
        Configuration TOML, or the name of a packaged one.
    sim : bool
    scenario : str, optional
    speedup : float
        Simulated seconds per second of wall time.
    console : Console
    data : Path, optional
        Data root in place of that of the configuration.

    Raises
    ------
    typer.BadParameter
        If there is a scenario, but no beamline to simulate with it.
    """
    from beamline.config.models import load
    from beamline.session.simulators import (
        REPEATER_PORT,
        default_environment,
        simulated_beamline,
        stand_in_repeater,
    )

    if scenario is not None and not sim:
        raise typer.BadParameter("--scenario is for the beamline that --sim starts: add --sim, or leave it out")
    changes: dict[str, object] = {}
    with contextlib.ExitStack() as stack:
        if sim:
            console.print("Starting the simulated beamline ...")
            os.environ.update(stack.enter_context(simulated_beamline(scenario, speedup)))
            changes["clock_rate"] = speedup
        chosen = with_root(load(config, **changes), data)
        if chosen.mode == "sim" and not sim:
            for key, value in default_environment().items():
                os.environ.setdefault(key, value)
            with contextlib.suppress(OSError, ValueError):  # another process serves this port, or it is no port
                stack.enter_context(stand_in_repeater(int(os.environ[REPEATER_PORT])))
        yield chosen
