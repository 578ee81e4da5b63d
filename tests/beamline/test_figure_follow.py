"""The live figure opened late, in the middle of a scan, or for a given scan: it shows the journal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from beamline.outputs.live_figure.dwells import DwellLog
from beamline.outputs.live_figure.exclusion_content import ExclusionContent
from beamline.outputs.live_figure.pages import Page
from beamline.outputs.live_figure.scan import LiveScan
from beamline.outputs.live_figure.series import ScansOfSample
from beamline.outputs.live_figure.texts import headline, progress_line
from beamline.outputs.live_figure.view import LiveView
from beamline.records.journal import run_files
from beamline.records.runs.run import REPLAYED
from tests.beamline.example_runs import events_of, raw_run, uid_of_run
from tests.beamline.figures import (
    BEGAN,
    Live,
    assert_points,
    followed,
)
from tests.beamline.raw_scans import DWELLS, Acquisition, acquire, scan_set_of


def test_opened_late_it_shows_what_it_would_have_shown_from_the_start(tmp_path: Path) -> None:
    passes = scan_set_of(3)
    live = Live(tmp_path)
    with Acquisition(tmp_path) as session:
        for number, (name, doc) in enumerate(doc for documents in passes[:2] for doc in documents):
            session.take([(name, doc)])
            if number % 7 == 0:
                live.look()
        session.take(passes[2][:31])
        early, late = live.look(), followed(tmp_path)
    assert early.points.keys() == late.points.keys()
    for key in early.points:
        np.testing.assert_array_equal(early.points[key], late.points[key])
    assert early.spectrum is not None and late.spectrum is not None
    np.testing.assert_array_equal(early.spectrum["transient"], late.spectrum["transient"])
    for attribute in ("in_pass", "bad_phases", "faults", "reduced", "complete", "spectrum_passes", "unreduced"):
        assert np.array_equal(getattr(early, attribute), getattr(late, attribute)), attribute
    for now in (BEGAN + 150.0, BEGAN + 1000.0):
        assert headline(early, now) == headline(late, now)
        assert progress_line(early, now) == progress_line(late, now)


def test_it_follows_the_newest_scan_or_the_given_one(tmp_path: Path) -> None:
    one, other = scan_set_of(1, seed=1), scan_set_of(1, seed=2)
    live = Live(tmp_path)
    acquire(tmp_path, one)
    assert live.look().start["uid"] == uid_of_run(one[0])
    acquire(tmp_path, other)
    scan = live.look()
    assert scan.start["uid"] == uid_of_run(other[0]) and scan.spectrum_passes == 1 and scan.reduced == DWELLS
    assert followed(tmp_path).start["uid"] == uid_of_run(other[0])
    assert followed(tmp_path, one[0][0][1]["scan_set"][:13]).start["uid"] == uid_of_run(one[0])


def test_a_new_scan_is_not_normalised_by_another_and_a_resumed_one_is_by_its_own(tmp_path: Path) -> None:
    (first, third), (second,) = scan_set_of(2, seed=1), scan_set_of(1, seed=1)
    for documents, began in ((second, 1.7e9 + 2e4), (third, 1.7e9 + 3e4)):
        documents[0][1]["time"] = began
    live = Live(tmp_path)
    with Acquisition(tmp_path) as session:
        session.take(first)
        assert live.look().complete
        session.take(second[:20])
        assert live.look().spectrum is None and live.scan.normalisation is None
        session.take(second[20:])
        session.take(third[:20])
        scan = live.look()
    assert scan.start["uid"] == uid_of_run(third) and not scan.complete
    expected = events_of(session.reduced[uid_of_run(first)], "spectrum")[0]["data"]
    np.testing.assert_array_equal(scan.spectrum["transient"], expected["transient"])


def test_other_runs_and_replays_leave_it_alone(tmp_path: Path) -> None:
    (documents,) = scan_set_of(1)
    live = acquire(tmp_path, [documents])[uid_of_run(documents)]
    before = followed(tmp_path)
    with Acquisition(tmp_path) as session:
        session.take(raw_run(3), reduce=False)
        replay = [(name, {**doc}) for name, doc in live]
        uid = "abcdef00" + replay[0][1]["uid"][8:]
        replay[0][1].update(uid=uid, **{REPLAYED: "journal"})
        for name, doc in replay:
            if "run_start" in doc:
                doc["run_start"] = uid
            if name == "event":
                doc["data"] = {**doc["data"], "off": 2.0}
            session.journal(name, doc)
    after = followed(tmp_path)
    assert len(run_files(tmp_path)) == 4
    for key in before.points:
        np.testing.assert_array_equal(before.points[key], after.points[key])
    assert after.reduced == DWELLS and after.complete


def test_new_sums_replace_the_old_ones(tmp_path: Path) -> None:
    """Another session resumes a scan set: its points are sums of its own passes only."""
    first, second = scan_set_of(2)
    acquire(tmp_path, [first])
    with Acquisition(tmp_path) as session:
        session.take(second[:20])
        scan = followed(tmp_path)
    assert_points(scan, session.reduced[uid_of_run(second)])
    assert scan.normalisation is not None and not scan.complete


def test_a_spectrum_of_an_earlier_pass_does_not_complete_the_newest(tmp_path: Path) -> None:
    first, second = scan_set_of(2)
    reduced = acquire(tmp_path, [first])[uid_of_run(first)]
    scan = LiveScan()
    for name, doc in [*first, *reduced[:-2], *second[:9], *reduced[-2:]]:
        scan.take(name, doc)
    assert scan.spectrum is not None and not scan.complete


def test_invalid_documents_are_skipped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (documents,) = scan_set_of(1)
    with Acquisition(tmp_path) as session:
        session.take(documents[:20])
        odd = {**session.reduced[uid_of_run(documents)][-1][1]}
        session.journal("event", {**odd, "data": {**odd["data"], "point_index": 10_000}})
        session.take(documents[20:])
    view = LiveView(tmp_path, Figure(), 1.0)
    view.look()
    assert view.scan.complete and "skipped a event document: IndexError" in caplog.text


def test_every_page_opened_late_shows_what_it_would_have_shown_from_the_start(tmp_path: Path) -> None:
    first, second = scan_set_of(2)
    early = {name: Page(name, tmp_path) for name in ("map", "drift", "ledger")}
    with Acquisition(tmp_path) as session:
        for number, (name, doc) in enumerate([*first, *second[:31]]):
            session.take([(name, doc)])
            if number % 9 == 0:
                for page in early.values():
                    page.look()
    for name, page in early.items():
        page.look()
        late = Page(name, tmp_path)
        late.look()
        assert late.content.layout() == page.content.layout() is not None
        for one, other in zip(shown(page), shown(late), strict=True):
            np.testing.assert_array_equal(one, other, err_msg=name)


def shown(page: Page) -> list[np.ndarray]:
    """The numbers that a page draws."""
    content = page.content
    if isinstance(content, ScansOfSample):
        return [part for row in content.rows() for part in (row.value, row.stddev)]
    if isinstance(content, DwellLog):
        return list(content.table().values())
    assert isinstance(content, ExclusionContent)
    return [content.states(), np.array(content.counts())]
