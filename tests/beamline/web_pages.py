"""A page served by this process at a free port, and what a viewer gets from it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from beamline.config.models import load
from beamline.outputs.web.access import LOOPBACK, Access
from beamline.outputs.web.serve import listening, page_server
from tests.beamline.figures import wait_for

PORT = 0
"""Port of a page; a free one."""
OPEN = Access({}, LOOPBACK)


class Viewer:
    """Pulls as the script of the page does."""

    def __init__(self, url: str, token: str = "") -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.client = httpx.Client(base_url=url, headers=headers, timeout=30.0)
        self.parts: dict[str, Any] = {}
        self.version = ""

    def pull(self) -> int:
        """Pull once; returns the status."""
        answer = self.client.get("/state", params={"since": self.version})
        if answer.status_code == 200:
            found = answer.json()
            self.version = found["version"]
            self.parts.update(found["parts"])
        return answer.status_code

    def until(self, condition: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        """Pull until a condition on the parts holds."""

        def holds() -> bool:
            self.pull()
            return bool(condition(self.parts))

        wait_for(holds)
        return self.parts


@contextmanager
def served(root: Path, access: Access = OPEN) -> Iterator[str]:
    """The address of a page of a data root."""
    config = load("simulated", data={"root": str(root), "min_free_gb": 0.01})
    opened = listening("127.0.0.1", PORT)
    with page_server(config, access) as server:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]})
        thread.start()
        try:
            wait_for(lambda: server.started)
            yield f"http://127.0.0.1:{opened.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(30)
            opened.close()


@contextmanager
def viewed(root: Path, access: Access = OPEN, token: str = "") -> Iterator[Viewer]:
    """A viewer of a page of a data root."""
    with served(root, access) as url:
        viewer = Viewer(url, token)
        try:
            yield viewer
        finally:
            viewer.client.close()
