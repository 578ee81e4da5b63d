"""Starts the process that sends messages to those who are away. It outlives the session, which it looks after."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable

from beamline.config.models import Configuration
from beamline.config.own_files import open_own


def notify_label(config: Configuration) -> str:
    """Name of the beamline before each title."""
    return f"SIM {config.name}" if config.mode == "sim" else config.name


def start_notifier(config: Configuration, notify: Callable[[str], None]) -> None:
    """Start the process, unless no `[[notify]]` is configured; one that serves the data root already goes on."""
    if not config.notify:
        return
    entries = [entry.model_dump(mode="json") for entry in config.notify]
    given = {"root": str(config.data.root.absolute()), "label": notify_label(config), "entries": entries}
    log = config.data.root / "log"
    try:
        log.mkdir(parents=True, exist_ok=True)
        with open(open_own(log / "notify.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND), "ab") as output:  # noqa: PTH123
            process = subprocess.Popen(
                [sys.executable, "-m", "beamline.outputs.notify"], stdin=subprocess.PIPE, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        assert process.stdin is not None
        with process.stdin:
            process.stdin.write(json.dumps(given).encode())
    except OSError as error:
        notify(f"No messages are sent: their process could not be started ({error.strerror}).")
        return
    threading.Thread(target=process.wait, name="notifier", daemon=True).start()  # collects it, should it end earlier
