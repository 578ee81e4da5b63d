"""`trxas config`: the devices and roles of a configuration, and what is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from beamline.app.commands.stored import terminal

if TYPE_CHECKING:
    from beamline.config.devices import Station


def config_command(
    config: Annotated[str, typer.Argument(help="Configuration TOML, or the name of a packaged one.")] = "simulated",
) -> None:
    """Show devices, roles and detectors of a configuration, and check it without connecting to any record; exit status
    1 if it is wrong."""
    from beamline.config.models import ConfigurationError, load

    console = terminal()
    chosen = load(config)
    where = chosen.own_file or "packaged"
    console.print(f"{chosen.name} ({chosen.mode}), {where}, {chosen.digest()}", markup=False)
    show(chosen.station, console)
    from beamline.session.addresses import keep_to_this_machine

    keep_to_this_machine()  # devices search for their records as soon as they are built
    from beamline.station.build import build

    try:
        beamline = build(chosen)
    except ConfigurationError as error:
        console.print(str(error), style="bold red", markup=False)
        raise typer.Exit(1) from None
    from beamline.station.detectors import detector_entries

    for name, entry in detector_entries(chosen.detectors, beamline).items():
        others = ", ".join(f"{key} = {value}" for key, value in entry.items() if key not in ("kind", "device"))
        console.print(
            f"detector {name}: {entry['kind']}, {entry['device']}{f', {others}' if others else ''}", markup=False
        )
    console.print("Every device can be built; suspenders, checks and limits name what is there.")


def show(station: Station, console: Console) -> None:
    """Print devices and roles."""
    devices = Table(box=None, pad_edge=False, header_style="bold")
    for header in ("device", "class", "prefix", "server", "other keys"):
        devices.add_column(header)
    for name, entry in station.devices.items():
        others = ", ".join(f"{key} = {value}" for key, value in entry.arguments.items())
        devices.add_row(name, entry.kind, entry.prefix, entry.server or "", others)
    console.print(devices)
    roles = Table(box=None, pad_edge=False, header_style="bold")
    roles.add_column("role")
    roles.add_column("device")
    given = station.roles.entries()
    for role in type(station.roles).model_fields:
        names = given.get(role, "none")
        roles.add_row(role, names if isinstance(names, str) else ", ".join(names))
    console.print(roles)


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("config")(config_command)
