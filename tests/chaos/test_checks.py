"""Each check of the campaign fails for a violation that is made here."""

from __future__ import annotations

import copy
import fcntl
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from beamline.records.journal import read, run_files
from tests.beamline.catalogue_writing import write_catalogue
from tests.beamline.raw_scans import Acquisition, raw_scan
from tests.chaos import at_the_end
from tests.chaos.ends import after_a_scan
from tests.chaos.fault import Fault
from tests.chaos.file_faults import FOREIGN_CONTENT
from tests.chaos.flagged import nothing_spoilt_counts, numbers_agree
from tests.chaos.leftovers import MARK, environment, threads
from tests.chaos.shift import Shift
from tests.chaos.stored import StoredStream, stored_streams
from tests.chaos.sums import Documents, sums_are_those_of_their_good_dwells
from tests.chaos.violation import ViolationError
from tests.helpers.ports import free_port

Taken = tuple[Documents, Documents, Path]


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Taken:
    """A raw run and its reduced run, without any violation, and the data root that holds them."""
    root = tmp_path_factory.mktemp("whole")
    raw = raw_scan(1, "a scan set")
    with Acquisition(root) as session:
        session.take(raw)
    return raw, session.reduced[raw[0][1]["uid"]], root


@pytest.fixture(scope="module")
def catalogue(taken: Taken, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue of both runs."""
    folder = tmp_path_factory.mktemp("catalogue")
    assert write_catalogue(taken[2], folder)
    return folder


@pytest.fixture
def runs(taken: Taken) -> tuple[Documents, Documents]:
    """Copies to spoil."""
    return copy.deepcopy(taken[0]), copy.deepcopy(taken[1])


def event(documents: Documents, number: int) -> dict[str, Any]:
    return [doc for name, doc in documents if name == "event"][number]


def first_dwell_is_bad(raw: Documents, reduced: Documents) -> None:
    event(raw, 0)["data"]["quality"] = "the laser was unlocked"


def a_dwell_has_other_hits(raw: Documents, reduced: Documents) -> None:
    event(raw, 9)["data"]["fpga_counts"][7] += 1


def a_sum_is_off(raw: Documents, reduced: Documents) -> None:
    points = [doc["data"] for name, doc in reduced if name == "event" and "dwells_off" in doc["data"]]
    points[-1]["on"] = points[-1]["on"] * (1 + 1e-6)


@pytest.mark.parametrize("violate", [first_dwell_is_bad, a_dwell_has_other_hits, a_sum_is_off])
def test_a_sum_that_is_not_that_of_its_good_dwells(
    runs: tuple[Documents, Documents], violate: Callable[[Documents, Documents], None]
) -> None:
    sums_are_those_of_their_good_dwells(*runs)
    violate(*runs)
    with pytest.raises(ViolationError, match="point"):
        sums_are_those_of_their_good_dwells(*runs)


def test_an_event_that_is_lost_or_twice_in_the_journal(runs: tuple[Documents, Documents]) -> None:
    announced = {doc["uid"]: doc for name, doc in runs[0] if name == "event"}
    first, *others = announced
    at_the_end.announced_events_are_there_once(announced, Counter([first, *others]))
    with pytest.raises(ViolationError, match="1 announced events are not"):
        at_the_end.announced_events_are_there_once(announced, Counter(others))
    with pytest.raises(ViolationError, match="twice"):
        at_the_end.announced_events_are_there_once(announced, Counter([*others, first, first]))


def test_a_run_that_is_cut_off_or_damaged_or_ended_for_no_reason(taken: Taken, tmp_path: Path) -> None:
    (whole, *_) = [path for path in run_files(taken[2]) if "analysis_of" not in next(iter(read(path)))[1]]
    content, path = whole.read_bytes(), tmp_path / whole.name
    path.write_bytes(content)
    at_the_end.run_is_whole(path, list(read(path)))
    *begun, (_, stop) = read(path)
    for ends in ([], [("stop", stop), ("stop", stop)], [("stop", {**stop, "exit_status": "fail"})]):
        with pytest.raises(ViolationError, match=r"stop documents|no reason"):
            at_the_end.run_is_whole(path, [*begun, *ends])
    path.write_bytes(content[:900] + bytes([content[900] ^ 1]) + content[901:])
    with pytest.raises(ViolationError):
        at_the_end.run_is_whole(path, taken[0])


def test_an_event_that_the_catalogue_has_twice_or_not(taken: Taken, catalogue: Path) -> None:
    stored, uid = stored_streams(catalogue), taken[0][0][1]["uid"]
    at_the_end.the_catalogue_has_it(stored, taken[0])
    at_the_end.the_catalogue_has_it(stored, taken[1])
    numbers, lengths = stored[uid, "primary"].numbers, stored[uid, "primary"].lengths
    assert lengths["fpga_counts"] == len(numbers)
    for rows, length in ((numbers[:-1], 999), ([*numbers, numbers[-1]], 999), (numbers, len(numbers) - 1), ([], 0)):
        spoilt = {**stored, (uid, "primary"): StoredStream(rows, {"fpga_counts": length})}
        with pytest.raises(ViolationError, match="differs in the catalogue"):
            at_the_end.the_catalogue_has_it(spoilt, taken[0])
    del spoilt[uid, "primary"]
    with pytest.raises(ViolationError, match="differs in the catalogue"):
        at_the_end.the_catalogue_has_it(spoilt, taken[0])


def test_a_run_that_reads_back_otherwise(taken: Taken, catalogue: Path, tmp_path: Path) -> None:
    journal, uid = run_files(taken[2]), taken[0][0][1]["uid"]
    shift: Any = SimpleNamespace(root=taken[2], catalogue=str(catalogue))
    at_the_end.some_runs_read_back(shift, journal)
    (chunk, *_) = sorted(catalogue.glob(f"arrays/{uid}/*/primary/fpga_counts/c/0/*"))
    chunk.rename(tmp_path / "away")
    with pytest.raises(ViolationError, match="fpga_counts"):
        at_the_end.some_runs_read_back(shift, journal)
    (tmp_path / "away").rename(chunk)


def test_a_foreign_file_that_was_written(tmp_path: Path) -> None:
    target, link, odd = (tmp_path / name for name in ("outside", "link", "odd"))
    target.write_bytes(FOREIGN_CONTENT)
    link.symlink_to(target)
    odd.write_bytes(b"odd")
    foreign = {link: (target, b""), odd: (target, b"odd")}
    at_the_end.foreign_files_are_untouched(foreign)
    odd.write_bytes(b"od")
    with pytest.raises(ViolationError, match="odd was written"):
        at_the_end.foreign_files_are_untouched(foreign)
    link.write_bytes(b"")
    with pytest.raises(ViolationError, match="written through"):
        at_the_end.foreign_files_are_untouched(foreign)


def test_a_laser_shutter_that_is_open() -> None:
    after_a_scan(SimpleNamespace(get_shutter=lambda: False))  # type: ignore[arg-type]
    with pytest.raises(ViolationError, match="open"):
        after_a_scan(SimpleNamespace(get_shutter=lambda: True))  # type: ignore[arg-type]
    for at_rest_since, raises in ((0.0, nullcontext()), (7.0, nullcontext()), (5.5, pytest.raises(ViolationError))):
        with raises:  # opened at 6.0
            Shift.require_rest(SimpleNamespace(_openings=[3.0, 6.0], _at_rest_since=at_rest_since))  # type: ignore[arg-type]


def test_a_dwell_that_counts_during_a_fault_or_with_other_numbers(runs: tuple[Documents, Documents]) -> None:
    raw, fault = runs[0], Fault("a fault", lambda shift, rng: None, spoils="all")
    dwells = [doc for name, doc in raw if name == "event"]
    for number, dwell in enumerate(dwells):
        dwell["data"]["fpga_elapsed"], dwell["timestamps"]["fpga_counts"] = 2.0, float(number)
    shift: Any = SimpleNamespace(spoilt=(4.1, 4.9))
    nothing_spoilt_counts(shift, fault, dwells)  # between two dwells
    numbers_agree(dwells, copy.deepcopy(dwells))
    shift.spoilt = (4.1, 5.5)
    with pytest.raises(ViolationError, match=r"events \[6\] count"):
        nothing_spoilt_counts(shift, fault, dwells)
    ending = replace(fault, spoils="ending")
    nothing_spoilt_counts(shift, replace(fault, spoils="none"), dwells)
    with pytest.raises(ViolationError, match=r"events \[6\] count"):
        nothing_spoilt_counts(shift, ending, dwells)
    dwells[5]["timestamps"]["i0"] = 5.6
    nothing_spoilt_counts(shift, ending, dwells)  # read after its end
    dwells[5]["data"]["quality"] = "flagged"
    nothing_spoilt_counts(shift, fault, dwells)
    others = copy.deepcopy(dwells)
    dwells[8]["data"]["fpga_counts"] = dwells[8]["data"]["fpga_counts"] * 9 // 10
    with pytest.raises(ViolationError, match=r"event 9 .* standard deviations"):
        numbers_agree(dwells, others)


def process(folder: Path, stack: ExitStack) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    stack.callback(child.communicate)
    assert child.stdin is not None
    stack.callback(child.stdin.close)


def thread(folder: Path, stack: ExitStack) -> None:
    end = threading.Event()
    threading.Thread(target=end.wait).start()
    stack.callback(end.set)


def open_file(folder: Path, stack: ExitStack) -> None:
    stack.enter_context((folder / "open").open("w"))


def lock(folder: Path, stack: ExitStack) -> None:
    fcntl.flock(stack.enter_context((folder / "a.lock").open("w")), fcntl.LOCK_EX)


def unfinished(folder: Path, stack: ExitStack) -> None:
    (folder / ".result.csv.1.part").touch()


def temporary(folder: Path, stack: ExitStack) -> None:
    (folder / "temporary" / "left").touch()


def port(folder: Path, stack: ExitStack) -> None:
    sock = stack.enter_context(socket.socket())
    sock.bind(("127.0.0.1", PORT))
    sock.listen()


PORT = free_port()


@pytest.fixture
def ended_shift(tmp_path: Path) -> Iterator[Any]:
    (tmp_path / "temporary").mkdir()
    with environment(**{MARK: str(tmp_path)}):
        yield SimpleNamespace(folder=tmp_path, mark=str(tmp_path), ports={PORT})


@pytest.mark.parametrize(
    ("leave", "named"),
    [
        (process, "processes"), (thread, "threads"), (open_file, "open files"), (port, "ports"), (lock, "open files"),
        (unfinished, "unfinished files"), (temporary, "temporary files"),
    ],
)  # fmt: skip
def test_something_that_is_left(leave: Callable[[Path, ExitStack], None], named: str, ended_shift: Any) -> None:
    before = threads()
    with ExitStack() as stack:
        leave(ended_shift.folder, stack)
        with pytest.raises(ViolationError, match=f"{named} are left"):
            at_the_end.nothing_is_left(ended_shift, before, patience=0.0)
