"""What the page shows is what the documents of the journal have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from beamline.config.models import load
from beamline.outputs.web.board import Board
from beamline.outputs.web.feed import Feed
from beamline.outputs.web.readers import Pace, ScanReader, readers
from beamline.records.logbook import append, new_note
from tests.beamline.axis_runs import two_passes
from tests.beamline.example_runs import events_of, uid_of_run
from tests.beamline.figures import wait_for
from tests.beamline.raw_scans import DWELLS, ENERGIES, MODEL, Acquisition, acquire, scan_set_of
from tests.beamline.web_pages import viewed

CONFIG = load("simulated")
FIRST_POINT = 4


def part(root: Path, name: str, reader: ScanReader | None = None) -> Any:
    reader = reader or ScanReader(root, CONFIG)
    reader.look()
    return reader.parts()[name]()


def all_parts(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _, make, _ in readers(root, CONFIG):
        reader = make()
        reader.look()
        found |= {name: value() for name, value in reader.parts().items()}
    return found


def test_a_finished_scan_shows_spectra_and_transients_of_its_reduced_run(tmp_path: Path) -> None:
    passes = scan_set_of(2)
    reduced = acquire(tmp_path, passes)[uid_of_run(passes[1])]
    expected = events_of(reduced, "spectrum")[-1]["data"]
    found = part(tmp_path, "spectra")
    off, on = found["static"]
    np.testing.assert_allclose(off["x"], ENERGIES, rtol=1e-5)
    np.testing.assert_allclose(off["y"], expected["off"][0], rtol=1e-5)
    np.testing.assert_allclose(on["e"], expected["on_stddev"][0], rtol=1e-5)
    assert len(found["rows"]) == MODEL.divider and off["look"] == "complete"
    for slot, row in enumerate(found["rows"]):
        (points,) = row["series"]
        np.testing.assert_allclose(points["y"], 100 * expected["transient"][slot], rtol=1e-5)
        np.testing.assert_allclose(points["e"], 100 * expected["transient_stddev"][slot], rtol=1e-5)


def test_the_first_pass_is_provisional_point_by_point_and_a_later_one_has_the_last_result_behind_it(
    tmp_path: Path,
) -> None:
    passes, reader = scan_set_of(2), ScanReader(tmp_path, CONFIG)
    with Acquisition(tmp_path) as session:
        session.take(passes[0][: 2 + FIRST_POINT])
        found = part(tmp_path, "spectra", reader)
        assert [(each["look"], len(each["x"])) for each in found["static"]] == [("now", 1), ("now", 1)]
        session.take(passes[0][2 + FIRST_POINT :])
        session.take(passes[1][: 2 + FIRST_POINT])
        row = part(tmp_path, "spectra", reader)["rows"][0]
    assert [(each["look"], len(each["x"])) for each in row["series"]] == [("before", ENERGIES.size), ("now", 1)]


def test_opened_late_it_shows_what_one_that_was_there_shows(tmp_path: Path) -> None:
    passes, there = scan_set_of(2), ScanReader(tmp_path, CONFIG)
    seen: dict[str, Any] = {}
    with Acquisition(tmp_path) as session:
        for documents in passes:
            for begin in range(0, len(documents), 30):
                session.take(documents[begin : begin + 30])
                there.look()
                seen |= {name: value() for name, value in there.parts().items()}
    late = ScanReader(tmp_path, CONFIG)
    late.look()
    for name, value in late.parts().items():
        assert seen[name] == value(), name


def test_progress_counts_passes_and_points_and_knows_the_end(tmp_path: Path) -> None:
    passes, reader = scan_set_of(2), ScanReader(tmp_path, CONFIG)
    with Acquisition(tmp_path) as session:
        session.take(passes[0])
        session.take(passes[1][: 2 + 2 * FIRST_POINT])
        found = part(tmp_path, "progress", reader)
    assert (found["pass"], found["passes"], found["part"], found["done"]) == (2, 2, "point", 2)
    assert found["parts"] == ENERGIES.size
    assert abs(found["percent"] - (50 + 50 * 2 * FIRST_POINT / DWELLS)) < 0.1
    assert found["state"].startswith("NO DWELL SINCE")  # its clock is that of 2023


def test_delay_and_fluence_scans_have_traces_and_a_fit(tmp_path: Path) -> None:
    for axis, words in (("laser_delay", "lifetimes"), ("laser_fluence", "initial slope")):
        root, passes = tmp_path / axis, two_passes(axis)
        root.mkdir()
        reduced = acquire(root, passes)[uid_of_run(passes[1])]
        expected = events_of(reduced, "trace")[-1]["data"]
        found = part(root, "spectra")
        np.testing.assert_allclose(found["rows"][0]["series"][0]["y"], 100 * expected["transient"][0], rtol=1e-5)
        assert (
            found["axis"] == axis and words in found["fit"]["text"] and len(found["fit"]["x"]) == len(found["fit"]["y"])
        )


def test_runs_have_results_and_verdicts_and_the_map_a_row_for_each_slot(tmp_path: Path) -> None:
    passes = scan_set_of(2)
    reduced = acquire(tmp_path, passes)[uid_of_run(passes[1])]
    append(tmp_path, new_note("good jet", run=uid_of_run(passes[0])))
    expected = events_of(reduced, "spectrum")[-1]["data"]
    found = all_parts(tmp_path)
    assert [row["uid"] for row in found["runs"]] == [uid_of_run(passes[1]), uid_of_run(passes[0])]
    assert all(row["health"] in ("good", "look", "bad") for row in found["runs"])
    sigma = np.abs(expected["transient"][0] / expected["transient_stddev"][0])
    at = int(np.nanargmax(sigma))
    assert f"{100 * expected['transient'][0][at]:+.3f}" in found["runs"][0]["result"]
    assert f"{sigma[at]:.1f} sigma" in found["runs"][0]["result"] and found["runs"][1]["notes"] == "good jet"
    rows = {row["slot"]: row for row in found["map"]["rows"]}
    np.testing.assert_allclose(rows[0]["y"], 100 * expected["transient"][0], rtol=1e-5)
    assert (
        found["drift"]["hours"]["lines"] and len(found["drift"]["dwells"][0]["off"]["x"]) == DWELLS
    )  # half of two passes


def test_the_journal_of_another_proposal_in_the_same_place_takes_over(tmp_path: Path) -> None:
    mine, other = tmp_path / "root", tmp_path / "other"
    for root, seed, sample in ((mine, 9, "mine"), (other, 1, "another")):
        root.mkdir()
        acquire(root, scan_set_of(1, seed=seed, sample=sample, scan_id=9 - seed))
    append(mine, new_note("of the old one"))
    with viewed(mine) as viewer:
        viewer.until(lambda parts: samples(parts) == {"mine"} and parts.get("notes"))
        mine.rename(tmp_path / "away")
        other.rename(mine)
        parts = viewer.until(lambda parts: samples(parts) == {"another"})
        assert len(parts["runs"]) == 1
        viewer.until(lambda parts: parts["notes"] == [])
        (mine / "journal").rename(tmp_path / "gone")  # and with none at all it waits
        viewer.until(lambda parts: parts["progress"]["state"] == "WAITING FOR A SCAN" and parts["runs"] == [])


def samples(parts: dict[str, Any]) -> set[str]:
    """Samples that a page shows."""
    return {parts.get("about", {}).get("sample", ""), *(row["sample"] for row in parts.get("runs", [{"sample": ""}]))}


def test_a_part_that_fails_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    class Broken:
        def look(self) -> bool:
            raise RuntimeError("no such thing")

        def parts(self) -> dict[str, Any]:
            return {}

    board = Board()
    feed = Feed("broken", Broken, Pace(0.01, 1.0), tmp_path, board)
    feed.begin()
    try:
        wait_for(lambda: b"no such thing" in (board.since("") or b""))
    finally:
        feed.close()
