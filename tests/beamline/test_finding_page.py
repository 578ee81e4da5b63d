"""The live figure while a finding is made: its counts so far as the judge sees them, the finding, the next scan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bluesky.preprocessors as bpp
import pytest
from bluesky import RunEngine
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from beamline.config.models import load
from beamline.outputs.live_figure.pages import Page
from beamline.outputs.web.readers import readers
from plans.commissioning.crystal import find_crystal
from plans.commissioning.energy import find_energy
from reduction.documents.finding_run import JUDGE, FindingRun
from tests.beamline.raw_scans import Acquisition, acquire, scan_set_of
from tests.plans.cold_beamline import ColdBeamline
from tests.plans.intervals import cold

Documents = list[tuple[str, dict[str, Any]]]
FOIL = [["", "foil", "ifoil", "Br_K"], ["", "transmission", "it", ""]]
ENTRY = {
    "counter": "fpga", "threshold": "apd_threshold", "bunch_currents": "fill", "i0_least": 2e4, "foil": FOIL,
    "steering": ["along", "across"], "boxcar": "", "ring_current": "ring_current",
}  # fmt: skip


def made(plan: Any, beamline: ColdBeamline, **arguments: Any) -> tuple[Documents, Any]:
    """Documents of a finding, and the finding."""
    documents: Documents = []
    engine = RunEngine({}, call_returns_result=True, context_managers=[])
    engine.subscribe(lambda name, doc: documents.append((name, dict(doc))))
    judge = getattr(beamline.judges, plan.__name__.removeprefix("find_"))
    metadata = {JUDGE: ENTRY, "sample": "a jet", "mode": "sim"}
    found = engine(bpp.inject_md_wrapper(plan(beamline.bench, judge, **arguments), metadata)).plan_result
    return documents, found


def part_of(root: Path, name: str) -> Any:
    """A part of the page in the browser that is opened now."""
    for kind, make, _ in readers(root, load("simulated")):
        if kind in ("scan", "finding"):
            reader = make()
            reader.look()
            if name in (parts := reader.parts()):
                return parts[name]()
    return None


def texts(page: Page) -> str:
    """Everything that a page shows in words."""
    figure = Figure(figsize=(13, 8.6))
    FigureCanvasAgg(figure)
    page.picture(figure).update(page.content, 1.7e9)
    return "\n".join(each.get_text() for each in figure.texts)


def test_a_finding_is_shown_while_it_is_made_and_until_the_next_scan(tmp_path: Path) -> None:
    documents, found = made(find_crystal, cold(5), apply=True)
    page, (scan,) = Page("scan", tmp_path), scan_set_of(1)
    with Acquisition(tmp_path) as session:
        session.take(documents[:8], reduce=False)
        assert page.look() and "RUNNING" in texts(page) and "not found so far" in texts(page)
        session.take(documents[8:32], reduce=False)
        assert page.look() and "30 counts" in texts(page) and "good, so far" in texts(page)
        session.take(documents[32:], reduce=False)
        assert page.look() and "GOOD, SET" in texts(page) and f"crystal: {found.value:.3f}"[:-1] in texts(page)
        scan[0][1]["scan_id"] = 2
        session.take(scan)
        assert page.look() and page.content.finding.start is None
        assert page.content.scan.start is not None and "Br K" in texts(page)


@pytest.mark.parametrize("plan", [find_crystal, pytest.param(find_energy, marks=pytest.mark.long)])
def test_a_stored_run_is_judged_as_the_plan_judged_it(plan: Any) -> None:
    """Labels of the counts and names of devices are in its documents."""
    documents, found = made(plan, cold(6))
    run = FindingRun()
    for name, doc in documents:
        run.take(name, doc)
    again = run.judged()
    assert again is not None and (again.value, again.stddev) == (found.value, found.stddev)
    assert again.verdict == "good"


def test_the_page_in_the_browser_has_the_newest_finding_beside_the_newest_scan(tmp_path: Path) -> None:
    documents, found = made(find_crystal, cold(5))
    (scan,) = scan_set_of(1)
    acquire(tmp_path, [scan])
    assert part_of(tmp_path, "finding") == {}
    documents[0][1]["scan_id"] = 2
    with Acquisition(tmp_path) as session:
        session.take(documents, reduce=False)
    shown = part_of(tmp_path, "finding")
    assert (shown["state"], shown["labels"]) == ("GOOD, SHOWN", ["angle / urad", "I0 / (counts/s)"])
    assert shown["y"] == pytest.approx(list(found.curve.y), rel=1e-4) and len(shown["fit"]) == len(shown["fit_x"])
    assert part_of(tmp_path, "about")["scan_set"] == scan[0][1]["scan_set"][:8]
