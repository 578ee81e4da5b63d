"""`trxas web`: the page of a shift in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from beamline.app.commands.stored import Config, Data, configuration, terminal


def web_command(
    host: Annotated[str, typer.Option(help="Address to listen at; any but this machine's own needs a token.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8470,
    tokens: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Owner-only file that keeps the tokens; made if it does not exist."),
    ] = None,
    config: Config = "simulated",
    data: Data = None,
) -> None:
    """Serve the page of the measurement until Ctrl-C: state, live figures, runs, findings, logs and notes."""
    from beamline.outputs.web.access import access_for, links
    from beamline.outputs.web.serve import listening, serve

    chosen, console, access = configuration(config, data), terminal(), access_for(host, tokens)
    opened = listening(host, port)
    for what, link in links(host, opened.getsockname()[1], access).items():
        console.print(f"{what}: {link}", markup=False, soft_wrap=True)
    serve(chosen, access, opened)


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("web")(web_command)
