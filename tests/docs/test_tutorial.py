"""The tutorial, typed in from the page: its lines run in order against the simulated beamline."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.plans as bp
import pytest
from typer.testing import CliRunner

from beamline.app import cli
from beamline.config.models import Configuration, load
from beamline.session.persistent.about import ask_about
from beamline.session.session import Session, start
from tests.beamline.configurations import configuration
from tests.docs.typing_in import DOCS, numbers, steps, type_in, words_of
from tests.helpers.ioc_process import IocPool

PAGE = "tutorial/first-scan.md"


@pytest.fixture(scope="module")
def reported(ioc_pool: IocPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What each block printed, by the block; the shell commands run where the scan's data are."""
    folder = tmp_path_factory.mktemp("tutorial")
    ioc = ioc_pool.start("demo", speedup=200.0)
    yield type_all_in(folder, configuration(folder / "trxas_data", ioc.prefix))
    ioc_pool.stop(ioc)


def type_all_in(folder: Path, config: Configuration) -> dict[str, str]:
    """The lines of IPython in a session, those of the shell after it."""
    found: dict[str, str] = {}
    with start(config, fill_catalogue=False, notify=lambda _: None) as session:
        assert isinstance(session, Session)
        names: dict[str, Any] = {"bp": bp, "bps": bps}
        session.publish(names)
        for step in steps(PAGE):
            if step.kind == "python":
                found[step.text] = type_in(names, step.text)
    with contextlib.chdir(folder):
        for step in steps(PAGE):
            if step.kind == "sh" and "trxas" in step.text and "shell" not in step.text:
                done = CliRunner().invoke(cli.app, shlex.split(step.text)[1:])
                assert done.exit_code == 0, (step.text, done.output, done.exception)
                found[step.text] = done.output
        found["files"] = " ".join(sorted(path.name for path in folder.rglob("*") if path.is_file()))
    return found


def test_it_prints_what_the_page_shows(reported: dict[str, str]) -> None:
    checked = [step for step in steps(PAGE) if step.printed]
    assert len(checked) >= 6
    for step in checked:
        assert words_of(reported[step.text]) == words_of(step.printed), step.text


def test_what_it_prints_makes_sense(reported: dict[str, str]) -> None:
    def of(beginning: str) -> str:
        return next(printed for text, printed in reported.items() if beginning in text)

    hits, gates, phases = numbers(of("hits.sum()"))
    assert phases == 120 and 0.95 * 6_517_300 < gates < 1.01 * 6_517_300 and 0.10 < hits / gates < 0.18
    (_, _, first, error), (_, _, last, _) = (numbers(line) for line in of("s.transient").splitlines()[:2])
    assert 0.02 < error < 0.6 and abs(first + 3) < 6 * error and first < -5 * error and abs(last) < 6 * error
    assert "Time" in of('preview(energy_scan, edge="Br_K"')


def test_the_numbers_of_the_page_are_those_of_such_a_scan(reported: dict[str, str]) -> None:
    """The page was not written from another program: what it prints is within a few errors of what comes out."""
    step = next(step for step in steps(PAGE) if "s.transient" in step.text)
    for ours, page in zip(reported[step.text].splitlines()[:2], step.printed.splitlines()[:2], strict=True):
        (_, _, value, error), (_, _, of_page, page_error) = numbers(ours), numbers(page)
        assert abs(value - of_page) < 6 * max(error, page_error) and 0.2 < error / page_error < 5, ours


def test_the_commands_leave_what_they_promise(reported: dict[str, str]) -> None:
    assert reported[".venv/bin/trxas list\n"].count("energy_scan") == 1
    assert "agree to the bit" in reported[".venv/bin/trxas reduce last\n"]
    assert all(suffix in reported["files"] for suffix in (".csv", ".png", "shift.html"))


def test_it_has_the_questions_of_the_first_start_and_their_defaults() -> None:
    asked: list[str] = []

    def keep(question: str) -> str:
        asked.append(question.strip())
        return ""

    ask_about(load("simulated"), None, keep)
    page = (DOCS / PAGE).read_text(encoding="utf-8")
    assert len(asked) == 3 and "\n".join(f"    {each}" for each in asked) in page
