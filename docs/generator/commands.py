"""The command line, from the application that a user calls."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import typer

from beamline.app.cli import app
from docs.generator.markdown import code, table

HEADINGS = ("argument or option", "value", "default", "meaning")
WORDS = {int: "integer", float: "number", str: "text", Path: "path", bool: "", datetime: "date, or date and time"}


def commands() -> str:
    """All commands, each with usage, help, arguments and options."""
    found = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    return "\n\n".join(_command(name, each) for name, each in sorted(_flat(found)))


def _flat(found: Mapping[str, Any], before: str = "") -> list[tuple[str, Any]]:
    """Commands and those of groups, by the words that call them."""
    flat: list[tuple[str, Any]] = []
    for name, each in found.items():
        flat += _flat(each.commands, f"{before}{name} ") if hasattr(each, "commands") else [(before + name, each)]
    return flat


def _command(name: str, command: Any) -> str:
    parameters = [each for each in command.params if not each.hidden]
    arguments = [_metavar(each) for each in parameters if each.param_type_name == "argument"]
    usage = " ".join(["trxas", name, *arguments, *(["[OPTIONS]"] if len(arguments) < len(parameters) else [])])
    lines = [f"## `trxas {name}`", "", f"    {usage}", "", " ".join((command.help or "").split()), ""]
    if parameters:
        hints = get_type_hints(inspect.unwrap(command.callback))
        lines.append(table(HEADINGS, (_row(each, hints) for each in parameters)))
    return "\n".join(lines)


def _row(parameter: Any, hints: Mapping[str, Any]) -> tuple[str, str, str, str]:
    if parameter.param_type_name == "argument":
        names = code(_metavar(parameter))
    else:
        names = ", ".join(map(code, sorted(parameter.opts, key=len, reverse=True)))
    return names, _kind(parameter, hints[parameter.name]), _default(parameter), parameter.help or ""


def _metavar(parameter: Any) -> str:
    text = parameter.metavar or parameter.name.upper()
    return str(text if parameter.required or text.startswith("[") else f"[{text}]")


def _kind(parameter: Any, hint: Any) -> str:
    """Placeholder of the value; empty for a flag."""
    if parameter.metavar and parameter.param_type_name == "option":
        return code(parameter.metavar)
    if get_origin(hint) is Literal:
        return " or ".join(map(code, get_args(hint)))
    several = [each for each in get_args(hint) if each is not type(None)]
    inner = several[0] if several else hint
    inner = get_args(inner)[0] if get_args(inner) else inner  # a list of them
    ends = [f"from {parameter.min:g}" if parameter.min is not None else ""]
    ends.append(f"to {parameter.max:g}" if parameter.max is not None else "")
    return " ".join(filter(None, [WORDS[inner], *ends]))


def _default(parameter: Any) -> str:
    """The default as typed; empty for off or none."""
    if isinstance(parameter.show_default, str):
        return str(parameter.show_default)
    value = parameter.default
    if value is None or value is False or value == () or callable(value):
        return ""
    return code(value.as_posix() if isinstance(value, Path) else value)
