"""The process of a session: reads root, label and entries as JSON from its standard input."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

from beamline.config.notify import NotifyEntry
from beamline.outputs.notify.notifier import Notifier, serve


def main() -> int:
    """Send messages until the session has ended and everything is sent."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    given = json.load(sys.stdin)
    root = Path(given["root"])
    entries = [NotifyEntry.model_validate(each) for each in given["entries"]]
    serve(Notifier(root, given["label"], entries), root, stay=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
