"""`trxas queue`: runs bluesky-queueserver's manager with the plans of a beamline."""

from __future__ import annotations

import importlib.util
import os
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[str, typer.Option(help="Configuration TOML, or the name of a packaged one.")]
Redis = Annotated[str, typer.Option(help="Address of the Redis server that stores the queue, or unix:///PATH.")]
Control = Annotated[str, typer.Option(help="Address at which clients reach the manager (0MQ).")]


def queue_command(
    config: Config = "simulated", redis: Redis = "127.0.0.1:6379", control: Control = "tcp://127.0.0.1:60615"
) -> None:
    """Serve a queue of plans: clients add them, a session of its own runs them. Stop with Ctrl-C."""
    from beamline.app.queue_server.keys import CLIENT, TO_CLIENT, TO_SERVER, queue_keys
    from beamline.config.models import load
    from beamline.config.secrets import refuse_secret
    from beamline.session.addresses import keep_to_this_machine

    refuse_secret(redis if "://" in redis else f"redis://{redis}", "--redis", "a socket: unix:///PATH")
    if importlib.util.find_spec("bluesky_queueserver") is None:
        raise RuntimeError("bluesky-queueserver is not installed: pip install 'trxas[queue]'")
    chosen = load(config)
    if chosen.mode == "sim":
        keep_to_this_machine()
    os.environ["TRXAS_CONFIGURATION"] = str(Path(config).resolve()) if Path(config).is_file() else config
    folder = chosen.data.root.resolve() / "queue"
    folder.mkdir(parents=True, exist_ok=True)
    server, _ = queue_keys(folder)
    typer.echo(f"Clients need the key: export {TO_CLIENT}=$(cat {shlex.quote(str(folder / CLIENT))})")
    sys.stdout.flush()
    os.environ[TO_SERVER] = server
    program = ["-m", "beamline.app.queue_server.manager", *manager_options(folder, redis, control)]
    os.execv(sys.executable, [sys.executable, *program])


def manager_options(folder: Path, redis: str, control: str) -> list[str]:
    """Options of the manager: JSON only, and its console output is not published."""
    permissions = Path(__file__).parents[1] / "queue_server" / "user_group_permissions.yaml"
    return [
        *("--startup-module", "beamline.app.queue_server.startup"),
        *("--existing-plans-devices", str(folder / "existing_plans_and_devices.yaml")),
        *("--user-group-permissions", str(permissions)),
        *("--user-group-permissions-reload", "ON_STARTUP"),
        *("--redis-addr", redis.replace("unix:///", "unix/", 1)),
        *("--redis-name-prefix", "trxas"),
        *("--zmq-control-addr", control),
        *("--zmq-encoding", "json"),
        *("--zmq-publish-console", "OFF"),
    ]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("queue")(queue_command)
