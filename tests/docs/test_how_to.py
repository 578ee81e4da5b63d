"""How-to pages with lines to type in: they run against the simulated beamline and give what the page shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bluesky.plans as bp
import pytest

from beamline.config.models import load
from beamline.records.runs.store import open_runs
from beamline.session.session import Session, start
from tests.docs.typing_in import DOCS, steps, type_in, words_of
from tests.helpers.ioc_process import RunningIoc


@pytest.fixture(scope="module")
def names(simulated_beamline: RunningIoc, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The names of a shell."""
    root = tmp_path_factory.mktemp("data")
    config = load("simulated", clock_rate=200.0, display={"live_figure": "off"}, data={"root": str(root)})
    with start(config, fill_catalogue=False, notify=lambda _: None) as session:
        assert isinstance(session, Session)
        found: dict[str, Any] = {"bp": bp}
        session.publish(found)
        yield found


def test_a_new_detector_is_in_every_event(names: dict[str, Any]) -> None:
    for step in steps("how-to/new-detector.md"):
        type_in(names, step.text)
    root: Path = names["session"].config.data.root
    documents = list(open_runs("journal", root, "").documents(names["done"].run_start_uids[0]))
    primary = {doc["uid"] for name, doc in documents if name == "descriptor" and doc["name"] == "primary"}
    events = [doc["data"] for name, doc in documents if name == "event" and doc["descriptor"] in primary]
    assert len(events) == 12 and all(24 < event["thermometer_temperature"] < 26 for event in events)
    keys = next(doc["data_keys"] for name, doc in documents if name == "descriptor" and doc["name"] == "primary")
    assert keys["thermometer_temperature"]["units"] == "degC"


def test_a_fill_pattern_prints_its_meaning(names: dict[str, Any]) -> None:
    (step,) = steps("how-to/another-fill-pattern.md")
    assert type_in(names, step.text).split() == step.printed.split() and words_of(step.printed)


def test_edges_and_their_entries_are_those_of_the_page(names: dict[str, Any]) -> None:
    page = "how-to/another-edge.md"
    entries = re.search(r"```toml\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
    assert entries is not None
    first, *others = steps(page)
    assert "Se_K: E0 12.658 keV" in type_in(names, first.text)
    file: Path = names["session"].config.data.root / "edges.toml"
    file.write_text(entries[1], encoding="utf-8")
    try:
        for step in others:
            printed = type_in(names, step.text)
            assert not step.printed or printed == step.printed
    finally:
        file.unlink()
