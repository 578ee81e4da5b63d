"""Another client's panel changes a setting while a scan counts: the dwell is rejected, and the setting named.

Each put is made over Channel Access by another process in the middle of a dwell, and put back before its end.
"""

from __future__ import annotations

import getpass
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from beamline.records.journal import read, run_file
from beamline.session.session import start
from tests.beamline.configurations import configuration
from tests.helpers.ioc_process import StartIoc
from tests.helpers.panel import PUTS, panel

GRID = [13.460, 13.472, 13.4765, 13.50]
SPEEDUP = 20.0
PATTERN = [1, 0] * 5
SCAN: dict[str, Any] = {"energies": GRID, "dwell": 2.0, "pattern": PATTERN, "delay": 100.0, "attempts": 50}
EVERY = 2
"""One dwell in so many is disturbed."""
HOLD = 0.03
"""Wall seconds until it is put back; a dwell lasts 0.1 s."""


def events(root: Path, uid: str) -> list[dict[str, Any]]:
    documents = list(read(run_file(root, uid)))
    primary = {doc["uid"] for name, doc in documents if name == "descriptor" and doc["name"] == "primary"}
    return [doc["data"] for name, doc in documents if name == "event" and doc["descriptor"] in primary]


def rates(taken: list[dict[str, Any]]) -> dict[tuple[int, int], tuple[float, float]]:
    """Hits a gate and its standard deviation, by point and laser, of the good dwells."""
    hits: Counter[tuple[int, int]] = Counter()
    gates: Counter[tuple[int, int]] = Counter()
    for data in taken:
        if data["quality"] == "good":
            where = data["point_index"], data["laser_on"]
            hits[where] += int(np.sum(data["fpga_counts"], dtype=np.int64))
            gates[where] += int(np.sum(data["fpga_gates"], dtype=np.int64))
    return {where: (hits[where] / gates[where], hits[where] ** 0.5 / gates[where]) for where in hits}


def test_any_change_at_a_panel_rejects_its_dwell_by_name(start_ioc: StartIoc, tmp_path: Path) -> None:
    still = {"jet": {"thickness_rms": 0.0, "pass_to_pass_rms": 0.0}, "ring": {"lifetime_h": 1e6}}
    ioc = start_ioc(still, speedup=SPEEDUP)
    messages: list[str] = []
    config = configuration(tmp_path, ioc.prefix, SPEEDUP)
    with start(config, fill_catalogue=False, notify=messages.append) as session:
        with panel(ioc.prefix, [puts for _, puts in PUTS], EVERY, HOLD) as somebody:
            disturbed = session.RE(session.energy_scan(**SCAN)).run_start_uids[0]
            assert somebody.stdout is not None
            lines = [somebody.stdout.readline() for _ in range(len(PUTS) + 1)]
        assert lines[-1] == "done\n"
        after = session.RE(session.energy_scan(**SCAN)).run_start_uids[0]

    taken = events(tmp_path, disturbed)
    bad = [data["quality"] for data in taken if data["quality"] != "good"]
    named = Counter(name for name, _ in PUTS)
    missed = [name for name, times in named.items() if sum(name in quality for quality in bad) < times]
    assert missed == [], bad
    rejected = [sentence for sentence in messages if "while a dwell was counted" in sentence]
    assert len(rejected) >= len(PUTS) - 2  # counts that were ended early are no change of a setting

    gate = next(sentence for sentence in rejected if "GateDly-1_WIDTH" in sentence)
    assert "GateDly-1_WIDTH became 2 while a dwell was counted (put log: " in gate
    assert f" {getpass.getuser()} {ioc.name('7idd:FPGA1:GateDly-1_WIDTH')} new=2 old=" in gate

    segments: dict[int, set[int]] = defaultdict(set)
    for data in taken:
        if data["quality"] == "good":
            segments[data["point_index"]].add(data["segment"])
    assert all(segments[point] == set(range(len(PATTERN))) for point in range(len(GRID)))

    again = events(tmp_path, after)
    assert [data["quality"] for data in again] == ["good"] * len(GRID) * len(PATTERN)
    first, second = rates(taken), rates(again)
    for where, (rate, error) in second.items():
        assert first[where][0] == pytest.approx(rate, abs=5 * np.hypot(error, first[where][1])), where
