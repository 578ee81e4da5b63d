"""What `energy_scan?` says: the text of a plan as somebody at the prompt needs it, examples first."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from plans.compilation.options import Options

FILLED = "instruments"
"""The argument that a session fills in."""
HEADING = re.compile(r"^(\w+)\n-{3,}\n", re.MULTILINE)
ENTRY = re.compile(r"^(?=\S)", re.MULTILINE)
PROMPT = re.compile(r"^>>> ", re.MULTILINE)


def explained(plan: Callable[..., Any], options: Collection[str]) -> str:
    """The docstring of a plan: summary, examples as they are typed, then every argument that a user gives.

    Parameters
    ----------
    plan : callable
        With a numpydoc docstring.
    options : collection of str
        Those of `plans.compilation.options.Options` that stand in place of its ``**options``.

    Returns
    -------
    str
        Again numpydoc, so that a queue server finds the meaning of each argument.
    """
    found = sections(plan)
    own = [each for each in _entries(found.pop("Parameters")) if not each.startswith((FILLED, "**"))]
    shared = [each for each in _entries(sections(Options)["Attributes"]) if each.split(" : ")[0] in options]
    parts = [found.pop(""), _section("Examples", typed(found.pop("Examples")))]
    parts += [_section("Parameters", "\n".join(own + shared))]
    return "\n\n".join([*parts, *(_section(name, body) for name, body in found.items())])


def overview(plans: Mapping[str, Callable[..., Any]]) -> Callable[[], None]:
    """A function that prints every plan with an example, as a question mark behind its name does."""

    def show() -> None:
        print(examples_of(plans))

    show.__doc__, show.__name__ = examples_of(plans), "plans"
    return show


def examples_of(plans: Mapping[str, Callable[..., Any]]) -> str:
    """Every plan with its first sentence and one example."""
    lines: list[str] = []
    for name, plan in plans.items():
        found = sections(plan)
        example = next(line for line in typed(found["Examples"]).splitlines() if f"{name}(" in line)
        lines += [found[""].splitlines()[0], f"    {example}", ""]
    return "\n".join([*lines, "A name with a question mark explains it: energy_scan?"])


def sections(documented: Any) -> dict[str, str]:
    """A numpydoc docstring by its headings; what stands before the first one is under the empty text."""
    parts = HEADING.split(inspect.getdoc(documented) or "")
    bodies = {name: body.strip("\n") for name, body in zip(parts[1::2], parts[2::2], strict=True)}
    return {"": parts[0].strip(), **bodies}


def typed(examples: str) -> str:
    """Examples as they are typed at the prompt."""
    return PROMPT.sub("", examples)


def _section(name: str, body: str) -> str:
    return f"{name}\n{'-' * len(name)}\n{body}"


def _entries(body: str) -> list[str]:
    """The entries of a list of arguments, each with its meaning."""
    return [each.rstrip("\n") for each in ENTRY.split(body) if each]
