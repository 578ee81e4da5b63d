"""Every `trxas` command and option in the documentation exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from beamline.app.cli import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
CALL = re.compile(r"trxas(?: --debug)? ([a-z]+)((?:[^`\n|]|\\\|)*)")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")


def known() -> dict[str, set[str]]:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    return {name: set(_options(command)) for name, command in commands.items()}


def _options(command: Any) -> Iterator[str]:
    """Those of a command and of its subcommands."""
    for each in command.params:
        yield from (*each.opts, *each.secondary_opts)
    for each in getattr(command, "commands", {}).values():
        yield from _options(each)


def calls(text: str) -> list[tuple[str, list[str]]]:
    """Commands with their options, in indented blocks, fenced blocks and between back-ticks."""
    lines = [
        line for line in text.splitlines() if line.startswith(("    ", "$ ", ".venv", "trxas")) or "`trxas" in line
    ]
    return [(name, OPTION.findall(rest)) for line in lines for name, rest in CALL.findall(line)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_options_exist(page: Path) -> None:
    commands = known()
    for name, options in calls(page.read_text(encoding="utf-8")):
        assert name in commands, f"trxas {name}"
        assert set(options) <= commands[name] | {"--help"}, f"trxas {name} {options}"


def test_the_pages_name_most_commands() -> None:
    """So that the search above finds something."""
    named = {name for page in PAGES for name, _ in calls(page.read_text(encoding="utf-8"))}
    assert named >= {"shell", "doctor", "export", "list", "reduce", "figure"}
