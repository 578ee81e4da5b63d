"""A replay is bit-identical to the live reduction, from journal and catalogue; other settings give a new run."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from event_model import DocumentNames, schema_validators

from beamline.records.journal import run_file, run_files
from beamline.records.runs.compare import compare
from beamline.records.runs.find import find
from beamline.records.runs.run import REPLAYED, Run, RunError
from beamline.records.runs.store import JournalRuns, open_runs
from reduction.live.reducer import LiveReducer
from tests.beamline.catalogue_writing import write_catalogue
from tests.beamline.example_runs import Documents, events_of, raw_run, uid_of_run
from tests.beamline.raw_scans import (
    DWELLS,
    ENERGIES,
    SEGMENTS,
    SETTINGS,
    WHITE_LINE,
    Acquisition,
    acquire,
    new_uid,
    raw_scan,
    scan_set_of,
)
from tests.beamline.replays import assert_equal, keep, redo


@pytest.fixture
def taken(tmp_path: Path) -> tuple[list[Documents], dict[str, Documents]]:
    """Three passes in the journal with their live reduced runs."""
    passes = scan_set_of(3)
    return passes, acquire(tmp_path, passes)


def test_each_pass_comes_out_as_live_to_the_bit(taken, tmp_path: Path) -> None:
    passes, live = taken
    files = {path: path.read_bytes() for path in run_files(tmp_path)}
    for number, documents in enumerate(passes):
        uid = uid_of_run(documents)
        for name in (uid, uid[:13], uid.upper()[:20]):
            (result,) = redo(tmp_path, name)
            assert_equal(result.documents, live[uid])
            assert result.agreement is not None and result.agreement.exact and not result.new
            assert result.start["accumulates"] == [uid_of_run(each) for each in passes[:number]]
            assert result.start["uid"] != live[uid][0][1]["uid"]
    assert {path: path.read_bytes() for path in run_files(tmp_path)} == files


def test_last_and_the_scan_set_and_a_reduced_run_are_names_too(taken, tmp_path: Path) -> None:
    passes, live = taken
    uids = [uid_of_run(documents) for documents in passes]
    (result,) = redo(tmp_path, "last")
    assert result.raw.uid == uids[-1]
    results = redo(tmp_path, passes[0][0][1]["scan_set"][:15])
    assert [each.raw.uid for each in results] == uids
    for each in results:
        assert_equal(each.documents, live[each.raw.uid])
        assert each.agreement is not None and each.agreement.exact
    (result,) = redo(tmp_path, live[uids[1]][0][1]["uid"])
    assert result.raw.uid == uids[1] and result.stored is not None
    assert_equal(result.documents, live[uids[1]])


@pytest.mark.long
def test_from_the_catalogue_it_is_the_same_and_a_dwell_taken_again_counts_once(tmp_path: Path, catalogue: Path) -> None:
    """After a pause the RunEngine retakes a dwell with the same sequence number; the last one counts."""
    plain, paused = scan_set_of(2)
    again = next(i for i, (name, doc) in enumerate(paused) if name == "event" and doc["seq_num"] == 10)
    interrupted = copy.deepcopy(paused[again])
    interrupted[1]["data"]["fpga_counts"] //= 2
    paused.insert(again, interrupted)
    live = acquire(tmp_path, [plain, paused])
    assert len(events_of(live[uid_of_run(paused)], "points")) == DWELLS + 1
    for result in redo(tmp_path, plain[0][1]["scan_set"]):
        assert_equal(result.documents, live[result.raw.uid])
        assert result.agreement is not None and result.agreement.exact
    assert write_catalogue(tmp_path, catalogue)
    shutil.rmtree(tmp_path / "journal")
    first, second = redo(tmp_path, plain[0][1]["scan_set"], "catalogue", catalogue)
    assert_equal(first.documents, live[uid_of_run(plain)])
    assert first.agreement is not None and first.agreement.exact and not first.agreement.last_of_points
    assert first.start[REPLAYED] == "catalogue"
    assert len(events_of(second.documents, "points")) == DWELLS
    assert second.agreement is not None and second.agreement.exact and second.agreement.last_of_points


@pytest.mark.long
def test_other_settings_give_a_new_run_beside_the_old(tmp_path: Path, catalogue: Path) -> None:
    """More I0 noise adds rate^2 (new^2 - old^2) / dwells to the variance of a rate, as all dwells weigh the same."""
    passes = scan_set_of(1)
    live, uid = acquire(tmp_path, passes), uid_of_run(passes[0])
    raw_bytes = run_file(tmp_path, uid).read_bytes()
    (result,) = redo(tmp_path, uid, i0_noise=5e-3)
    assert result.new and result.stored is None
    assert result.start["settings"] == {**live[uid][0][1]["settings"], "i0_noise": 5e-3}
    assert result.start["settings_hash"] != live[uid][0][1]["settings_hash"]
    before, after = (events_of(each, "points")[-1]["data"] for each in (live[uid], result.documents))
    np.testing.assert_array_equal(before["on"], after["on"])
    added = after["on_stddev"] ** 2 - before["on_stddev"] ** 2
    np.testing.assert_allclose(added, after["on"] ** 2 * (5e-3**2 - 1e-3**2) / 2, rtol=2e-5)
    for name, doc in result.documents:
        schema_validators[DocumentNames[name]].validate(listed(doc))
    keep(tmp_path, [result])
    assert run_file(tmp_path, uid).read_bytes() == raw_bytes
    assert write_catalogue(tmp_path, catalogue)
    store = open_runs("catalogue", tmp_path, catalogue)
    try:
        assert {run.uid for run in store.runs()} == {run.uid for run in JournalRuns(tmp_path).runs()}
        assert compare(result.documents, store.documents(result.start["uid"])).exact
    finally:
        store.close()


def listed(value: Any) -> Any:
    """Arrays as the lists that the schemas know."""
    if isinstance(value, dict):
        return {key: listed(entry) for key, entry in value.items()}
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def test_another_window_moves_the_offset_to_the_mean_over_it(taken, tmp_path: Path) -> None:
    uid = uid_of_run(taken[0][0])
    (result,) = redo(tmp_path, uid, pre_edge=[13.4525, 13.462], reference="paper")
    data = events_of(result.documents, "spectrum")[0]["data"]
    inside = (ENERGIES > 13.4525) & (ENERGIES < 13.462)
    np.testing.assert_allclose(data["offset"], data["rate"][:, :, inside].mean(axis=2), rtol=1e-12)
    assert result.start["reference"] == "paper" and result.start["settings"]["pre_edge"] == [13.4525, 13.462]


def test_the_same_settings_again_are_found_and_compared(taken, tmp_path: Path) -> None:
    uid = uid_of_run(taken[0][2])
    first = redo(tmp_path, uid, i0_noise=5e-3)
    keep(tmp_path, first)
    (again,) = redo(tmp_path, uid, i0_noise=5e-3)
    assert again.stored is not None and again.stored.uid == first[0].start["uid"]
    assert again.agreement is not None and again.agreement.exact and not again.new
    (live,) = redo(tmp_path, uid)
    assert live.stored is not None and REPLAYED not in live.stored.start
    (by_uid,) = redo(tmp_path, first[0].start["uid"])  # a replay can be replayed by its own uid
    assert by_uid.agreement is not None and by_uid.agreement.exact
    (other,) = redo(tmp_path, first[0].start["uid"], i0_noise=7e-3)
    assert other.new and other.start["settings"]["i0_noise"] == 7e-3


def test_a_number_that_differs_in_its_last_bit_is_found(tmp_path: Path) -> None:
    (documents,) = scan_set_of(1)
    with Acquisition(tmp_path) as session:
        publish = session.reducer._publish

        def corrupt(name: str, doc: Any) -> None:
            if name == "event" and doc["seq_num"] == 7:
                doc["data"]["on"][2] = np.nextafter(doc["data"]["on"][2], 1e9)
            publish(name, doc)

        session.reducer._publish = corrupt
        session.take(documents)
    (result,) = redo(tmp_path, "last")
    assert result.agreement is not None and not result.agreement.exact and not result.new
    assert result.agreement.differences == ("on of event 7 in points",)
    assert f"1 of {DWELLS + 3} events differ" in str(result.agreement)


def test_names_that_mean_nothing_or_too_much_are_refused(taken, tmp_path: Path) -> None:
    passes, live = taken
    with pytest.raises(RunError, match="no run or scan set has a uid that begins with 'zz'"):
        redo(tmp_path, "zz")
    with pytest.raises(RunError, match="no runs here yet"):
        redo(tmp_path / "elsewhere", "last")
    with pytest.raises(RunError, match="journal or from the catalogue"):
        redo(tmp_path, "last", "memory")
    with Acquisition(tmp_path) as session:
        session.take(raw_run(2), reduce=False)
        short = raw_scan(9, new_uid(), began=1.8e9)
        session.take([short[0], short[-1]])
    with pytest.raises(RunError, match="ended before its first dwell"):
        redo(tmp_path, uid_of_run(short))
    count = next(run for run in JournalRuns(tmp_path).runs() if "grid" not in run.start and run.raw_uid is None)
    with pytest.raises(RunError, match="not a photon-counting scan"):
        redo(tmp_path, count.uid)
    run_file(tmp_path, uid_of_run(passes[0])).unlink()
    with pytest.raises(RunError, match="which are missing here"):
        redo(tmp_path, uid_of_run(passes[1]))
    with pytest.raises(RunError, match="is missing here"):
        redo(tmp_path, live[uid_of_run(passes[0])][0][1]["uid"])


def test_a_beginning_that_several_share_is_refused_with_all_of_them() -> None:
    starts = [{"uid": "ab12", "scan_set": "cd34"}, {"uid": "ab99", "scan_set": "cd34"}, {"uid": "cd35"}]
    runs = [Run(start, None) for start in starts]
    assert [run.uid for run in find(runs, "ab1").runs] == ["ab12"]
    assert [run.uid for run in find(runs, "CD34").runs] == ["ab12", "ab99"]
    with pytest.raises(RunError, match=r"'ab' is ambiguous.*ab12, ab99"):
        find(runs, "ab")
    with pytest.raises(RunError, match=r"cd35, cd34 \(scan set\)"):
        find(runs, "cd3")
    with pytest.raises(RunError, match="no run"):
        find(runs, " ")


@pytest.mark.parametrize(
    ("changes", "phrase"),
    [
        ({"i0nois": 1e-3}, "there is no setting 'i0nois'"),
        ({"i0_noise": "much"}, "i0_noise must be a number"),
        ({"i0_noise": 2.0}, "i0_noise must lie between 0 and 1"),
        ({"integral": [13.5, 13.4]}, "integral must go from a lower to a higher energy"),
        ({"integral": 13.5}, "integral must be 2 values"),
        ({"reference": "best"}, "reference must be one of paper"),
    ],
)
def test_invalid_settings_are_named(tmp_path: Path, changes: dict[str, Any], phrase: str) -> None:
    acquire(tmp_path, scan_set_of(1))
    with pytest.raises(RunError, match=phrase):
        redo(tmp_path, "last", **changes)


def test_the_reducer_is_the_live_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is computed twice in another way: without `LiveReducer` there are no numbers."""
    acquire(tmp_path, scan_set_of(1))
    monkeypatch.setattr(LiveReducer, "_add", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        redo(tmp_path, "last")


def test_the_example_is_a_scan_with_a_transient(taken) -> None:
    """Guards the other tests against an example without content."""
    passes, live = taken
    data = events_of(live[uid_of_run(passes[2])], "spectrum")[0]["data"]
    assert np.isfinite(data["transient"]).all() and len(SEGMENTS) == 4 and SETTINGS["reference"] == "paper"
    assert abs(data["transient"][0, WHITE_LINE]) > 3 * data["transient_stddev"][0, WHITE_LINE]
