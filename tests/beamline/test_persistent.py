"""Persistent state: the state file, scan numbers, proposal, sample and users, and the folder of a proposal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from beamline.config.models import Configuration, ConfigurationError, load
from beamline.records.journal import Journal
from beamline.session.persistent.about import About, NotAllowedError, ask_about
from beamline.session.persistent.numbers import ScanNumbers
from beamline.session.persistent.state import STATE_FILE, StateFile, read_state
from tests.beamline.configurations import configuration
from tests.beamline.example_runs import raw_run


def silent(sentence: str) -> None:
    raise AssertionError(sentence)


def test_what_is_kept_is_there_in_the_next_session(tmp_path: Path) -> None:
    StateFile(tmp_path, silent).update(scan_id=7, signals={"laser_delay.t0": 1.7e-7})
    again = StateFile(tmp_path, silent)
    assert again.found and (again.state.scan_id, again.state.signals) == (7, {"laser_delay.t0": 1.7e-7})
    assert [path.name for path in tmp_path.iterdir()] == [STATE_FILE]  # no draft is left


def test_entries_of_a_later_version_stay(tmp_path: Path) -> None:
    (tmp_path / STATE_FILE).write_text('{"scan_id": 3, "of_tomorrow": [1]}')
    StateFile(tmp_path, silent).update(scan_id=4)
    assert json.loads((tmp_path / STATE_FILE).read_text())["of_tomorrow"] == [1]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"scan_id": -1}', b'{"signals": {"a": null}}', b"\xff\xfe"])
def test_a_damaged_file_is_set_aside_and_reported(tmp_path: Path, content: bytes) -> None:
    (tmp_path / STATE_FILE).write_bytes(content)
    with pytest.raises(ValueError):
        read_state(tmp_path)
    messages: list[str] = []
    state_file = StateFile(tmp_path, messages.append)
    assert not state_file.found and state_file.state.scan_id == 0
    (aside,) = tmp_path.glob(f"{STATE_FILE}.damaged-*")
    assert aside.read_bytes() == content and len(messages) == 1 and str(aside) in messages[0]


def test_a_failed_write_is_reported_and_the_session_continues(tmp_path: Path) -> None:
    messages: list[str] = []
    state_file = StateFile(tmp_path / "gone", messages.append)
    state_file.update(scan_id=5)
    assert state_file.state.scan_id == 5 and "could not be written" in messages[0]


def test_scan_numbers_continue_from_the_state_or_else_from_the_journal(tmp_path: Path) -> None:
    state_file = StateFile(tmp_path, silent)
    numbers = ScanNumbers(state_file, tmp_path)
    assert [numbers({}), numbers({})] == [1, 2]
    assert ScanNumbers(StateFile(tmp_path, silent), tmp_path)({}) == 3
    journal = Journal(tmp_path, min_free_bytes=0)
    for name, doc in raw_run(1, scan_id=41):
        journal(name, doc)
    journal.close()
    assert ScanNumbers(StateFile(tmp_path, silent), tmp_path)({}) == 4
    (tmp_path / STATE_FILE).unlink()
    assert ScanNumbers(StateFile(tmp_path, silent), tmp_path)({}) == 42


def about(config: Configuration, root: Path) -> tuple[About, dict[str, Any]]:
    metadata: dict[str, Any] = {}
    return About(config, StateFile(root, silent), metadata), metadata


def test_entries_of_the_user_hold_until_the_configuration_changes(tmp_path: Path) -> None:
    config = configuration(tmp_path, sample="foil")
    change, metadata = about(config, tmp_path)
    assert metadata == {"proposal": "", "sample": "foil", "users": []}
    change(sample="CsPbBr3\nin toluene", users="A. Curie, B. Auger,")
    assert metadata["sample"] == "CsPbBr3 in toluene" and metadata["users"] == ["A. Curie", "B. Auger"]
    assert about(config, tmp_path)[1] == metadata
    changed = about(configuration(tmp_path, sample="water"), tmp_path)[1]
    assert changed == {**metadata, "sample": "water"}
    with pytest.raises(NotAllowedError, match="sample may have 200"):
        change(sample="x" * 201)


def test_state_files_of_older_versions_are_read(tmp_path: Path) -> None:
    """They have ``said`` for what the user entered."""
    state = {"scan_id": 7, "said": {"sample": "CsPbBr3"}, "configured": {"sample": "foil"}}
    (tmp_path / STATE_FILE).write_text(json.dumps(state))
    change, metadata = about(configuration(tmp_path, sample="foil"), tmp_path)
    assert metadata["sample"] == "CsPbBr3"
    change(users="A. Curie")
    assert about(configuration(tmp_path, sample="foil"), tmp_path)[1] == {**metadata, "users": ["A. Curie"]}


def test_another_proposal_than_that_of_the_data_root_is_refused(tmp_path: Path) -> None:
    config = configuration(tmp_path, proposal="GUP-1", data={"root": str(tmp_path / "{proposal}")})
    config.data.root.mkdir()
    with pytest.raises(NotAllowedError, match="the data root belongs to proposal GUP-1"):
        about(config, config.data.root)[0](proposal="GUP-2")


def test_the_prompt_comes_once_and_enter_keeps_the_present_entry(tmp_path: Path) -> None:
    config = configuration(tmp_path, sample="foil")
    questions: list[str] = []

    def answer(question: str) -> str:
        questions.append(question)
        return "GUP-1 " if "Proposal" in question else ""

    answers = ask_about(config, None, answer)
    assert answers == {"proposal": "GUP-1", "sample": "foil", "users": ""}
    assert questions[1] == "Sample [foil], Enter keeps it: "
    about(config, tmp_path)[0](**answers)
    assert ask_about(config, read_state(tmp_path), answer) == {} and len(questions) == 3
    full = configuration(tmp_path, sample="foil", proposal="a", users=["b"])
    assert ask_about(full, None, answer) == {}


@pytest.mark.parametrize("line", ["%mov mono 13.472", "RE(energy_scan())", "energy_scan?"])
def test_a_command_is_not_a_reply_to_the_prompt(tmp_path: Path, line: str) -> None:
    answers = iter([line, "GUP-1", "", ""])
    questions: list[str] = []

    def answer(question: str) -> str:
        questions.append(question)
        return next(answers)

    assert ask_about(configuration(tmp_path, sample="foil"), None, answer)["proposal"] == "GUP-1"
    assert "looks like a command" in questions[1] and "Proposal" in questions[1]


def test_the_data_root_is_that_of_cycle_and_proposal() -> None:
    config = load("simulated", cycle="2026-3", proposal="GUP-81234", data={"root": "/data/{cycle}/{proposal}"})
    assert config.data.root == Path("/data/2026-3/GUP-81234")


@pytest.mark.parametrize(
    ("proposal", "root", "phrase"),
    [
        ("../../etc", "/data/{proposal}", "'../../etc' is not a folder name"),
        ("..", "/data/{proposal}", "is not a folder name"),
        (".hidden", "/data/{proposal}", "is not a folder name"),
        ("a/b", "/data/{proposal}", "is not a folder name"),
        ("", "/data/{proposal}", "proposal is empty"),
        ("GUP-1", "/data/{year}", "{year} is not known; known are {cycle}, {proposal}"),
        ("GUP-1", "/data/{proposal", "expected '}'"),
    ],
)
def test_a_value_that_would_leave_the_root_is_refused(proposal: str, root: str, phrase: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        load("simulated", proposal=proposal, data={"root": root})
    assert phrase in str(error.value)
