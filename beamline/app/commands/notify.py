"""`trxas notify`: messages to those who are away."""

from __future__ import annotations

import logging
import time
from typing import Annotated

import typer

from beamline.app.commands.stored import Config, Data, configuration, terminal


def notify_command(
    test: Annotated[bool, typer.Option("--test", help="Send a test message to each entry and exit.")] = False,
    config: Config = "simulated",
    data: Data = None,
) -> None:
    """Send the configured messages until Ctrl-C, also while no session runs; a session starts this by itself."""
    from beamline.config.secrets import SecretError
    from beamline.outputs.notify.notifier import Notifier, serve
    from beamline.outputs.notify.send import SendError, send
    from beamline.session.notify_process import notify_label

    chosen, console = configuration(config, data), terminal()
    if not chosen.notify:
        raise typer.BadParameter("the configuration has no [[notify]]; see docs/how-to/word-to-those-away.md")
    label = notify_label(chosen)
    if not test:
        logging.getLogger("beamline.outputs.notify").setLevel(logging.INFO)
        if not serve(Notifier(chosen.data.root, label, chosen.notify), chosen.data.root, stay=True):
            console.print(f"Another process sends the messages of {chosen.data.root} already.", markup=False)
        return
    failed = False
    for entry in chosen.notify:
        try:
            send(entry.url(), f"{label}: test", f"A test message of trxas, {time.strftime('%Y-%m-%d %H:%M:%S')}.")
        except (SendError, SecretError) as error:
            failed = True
            console.print(f"{entry.name}: NOT sent: {error}", markup=False, soft_wrap=True)
        else:
            console.print(f"{entry.name}: sent", markup=False)
    if failed:
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("notify")(notify_command)
