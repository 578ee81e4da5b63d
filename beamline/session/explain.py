"""Help of plans at the prompt (`energy_scan?`), with examples first."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from bluesky.utils import MsgGenerator

from plans.compilation.options import Options

FILLED = "instruments"
"""Argument that the session fills in."""
HEADING = re.compile(r"^(\w+)\n-{3,}\n", re.MULTILINE)
ENTRY = re.compile(r"^(?=\S)", re.MULTILINE)
PROMPT = re.compile(r"^>>> ", re.MULTILINE)


def explained(plan: Callable[..., Any], options: Collection[str]) -> str:
    """The docstring of a plan for users: summary, examples as typed, then the arguments.

    Parameters
    ----------
    plan : callable
        With a numpydoc docstring.
    options : collection of str
        Entries of `plans.compilation.options.Options` that replace its ``**options``.

    Returns
    -------
    str
        In numpydoc format, from which the queue server reads the meaning of each argument.
    """
    found = sections(plan)
    own = [each for each in _entries(found.pop("Parameters")) if not each.startswith((FILLED, "**"))]
    shared = [each for each in _entries(sections(Options)["Attributes"]) if each.split(" : ")[0] in options]
    parts = [found.pop(""), _section("Examples", typed(found.pop("Examples")))]
    parts += [_section("Parameters", "\n".join(own + shared))]
    return "\n\n".join([*parts, *(_section(name, body) for name, body in found.items())])


def overview(plans: Mapping[str, Callable[..., Any]]) -> Callable[[], None]:
    """Create the function `plans`, which prints all plans with an example; so does `plans?`."""

    def show() -> None:
        print(examples_of(plans))

    show.__doc__, show.__name__ = examples_of(plans), "plans"
    return show


def examples_of(plans: Mapping[str, Callable[..., Any]]) -> str:
    """Every plan with its summary and one example."""
    lines: list[str] = []
    for name, plan in plans.items():
        found = sections(plan)
        example = next(line for line in typed(found["Examples"]).splitlines() if f"{name}(" in line)
        lines += [found[""].splitlines()[0], f"    {example}", ""]
    return "\n".join([*lines, "A name with a question mark explains it: energy_scan?"])


def for_the_queue(plan: Callable[..., MsgGenerator[Any]]) -> Callable[..., MsgGenerator[Any]]:
    """A plan without annotations: the queue server would resolve them in its own namespace."""

    @functools.wraps(plan)
    def bare(*args: Any, **kwargs: Any) -> MsgGenerator[Any]:
        return (yield from plan(*args, **kwargs))

    parameters = [each.replace(annotation=each.empty) for each in inspect.signature(plan).parameters.values()]
    bare.__annotations__ = {}
    bare.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return bare


def sections(documented: Any) -> dict[str, str]:
    """Sections of a numpydoc docstring by heading; the summary has an empty heading."""
    parts = HEADING.split(inspect.getdoc(documented) or "")
    bodies = {name: body.strip("\n") for name, body in zip(parts[1::2], parts[2::2], strict=True)}
    return {"": parts[0].strip(), **bodies}


def typed(examples: str) -> str:
    """Examples as typed at the prompt."""
    return PROMPT.sub("", examples)


def _section(name: str, body: str) -> str:
    return f"{name}\n{'-' * len(name)}\n{body}"


def _entries(body: str) -> list[str]:
    """Entries of a parameter list, each with its description."""
    return [each.rstrip("\n") for each in ENTRY.split(body) if each]
