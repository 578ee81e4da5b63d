"""A shift for all tests that read results: its journal and contents. Shared: do not change it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from beamline.outputs.export.beamline_info import BeamlineInfo
from beamline.outputs.export.result import Result, read_result
from beamline.records.runs.store import open_runs
from tests.beamline.axis_runs import two_passes
from tests.beamline.example_runs import Documents
from tests.beamline.raw_scans import acquire, scan_set_of

PLACE = BeamlineInfo("Some Ring", "undulator", "diamond(111)", 2.0593)
SAMPLE = "../../x'); print `id`; ('</title><script>alert(1)</script><img src=http://x.example/a onerror=alert(2)>"
"""A sample name that attempts to be a path, a Perl program, and a script in a browser."""
ABOUT = {
    "beamline_name": "7-ID-D", "dwell": 6.0, "configuration_hash": "c0ffee", "versions": {"numpy": "2.4.6"},
    "users": ["Ada", "Max"],
}  # fmt: skip


@dataclass(frozen=True)
class Shift:
    """A journal with an energy scan of two passes, a delay scan and a fluence scan."""

    root: Path
    raw: dict[str, list[Documents]]
    reduced: dict[str, Documents]

    def scan_set(self, kind: str) -> str:
        return str(self.raw[kind][0][0][1]["scan_set"])

    def data(self, kind: str, stream: str) -> dict[str, Any]:
        """What the live reducer published at the end."""
        documents = self.reduced[self.raw[kind][-1][0][1]["uid"]]
        of_stream = {doc["uid"] for name, doc in documents if name == "descriptor" and doc["name"] == stream}
        return dict([doc["data"] for name, doc in documents if name == "event" and doc["descriptor"] in of_stream][-1])

    def result(self, kind: str) -> Result:
        store = open_runs("journal", self.root, "")
        return read_result(store, store.runs(), self.scan_set(kind))


@pytest.fixture(scope="session")
def shift(tmp_path_factory: pytest.TempPathFactory) -> Shift:
    root = tmp_path_factory.mktemp("shift")
    raw = {
        "energy": scan_set_of(2, sample=SAMPLE, **ABOUT),
        "delay": two_passes("laser_delay"),
        "fluence": two_passes("laser_fluence"),
    }
    raw["energy"][0][2 + 7][1]["data"]["quality"] = "beam lost & found"
    reduced: dict[str, Documents] = {}
    for passes in raw.values():
        reduced |= acquire(root, passes)
    return Shift(root, raw, reduced)
