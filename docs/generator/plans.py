"""The plans of a session: signature, arguments and examples, from their docstrings."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from numpydoc.docscrape import NumpyDocString

from beamline.config.models import Reduction
from beamline.session.commissioning.bind import FINDINGS
from beamline.session.nights.row_plan import RowPlans
from beamline.session.persistent.places import Places
from beamline.session.scans.bind import PLANS, BoundPlan
from beamline.session.scans.dry_run import DryRunContext
from beamline.session.scans.scans import Scans
from docs.generator.markdown import parameters, table
from plans.compilation.options import Options

HEADINGS = ("argument", "type", "meaning")
ALREADY_FILLED = ("`instruments`", "`bench`", "`judge`")


def plans() -> str:
    """Every plan, the common options of all scans, then `resume`, `preview`, `goto` and `night_row`."""
    dry = DryRunContext(Path(), Reduction())
    parts = [_one(name, BoundPlan(name, dry), plan) for name, (plan, _) in PLANS.items()]
    options = table(HEADINGS, parameters(NumpyDocString(inspect.getdoc(Options) or "")["Attributes"]))
    parts.append(f"## Options of all scans\n\n{options}")
    parts += [_one(name, getattr(Scans, name), getattr(Scans, name)) for name in ("resume", "preview")]
    own: dict[str, Callable[..., Any]] = {"goto": Places.goto, "night_row": RowPlans.night_row}
    parts += [_one(name, plan, plan) for name, plan in own.items()]
    parts += ["## Findings", *(_one(name, _shown(plan), plan) for name, plan in FINDINGS.items())]
    return "\n\n".join(parts)


def _shown(plan: Callable[..., Any]) -> Callable[..., Any]:
    """The plan of a finding with the arguments that users give."""

    @wraps(plan)
    def shown(*args: Any, **kwargs: Any) -> None: ...

    own = inspect.signature(plan).parameters.values()
    shown.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [each for each in own if f"`{each.name}`" not in ALREADY_FILLED]
    )
    return shown


def _one(name: str, called: Any, documented: Callable[..., Any]) -> str:
    text = NumpyDocString(inspect.getdoc(documented) or "")
    own = [row for row in parameters(text["Parameters"]) if row[0] not in ALREADY_FILLED]
    lines = [f"## `{name}`", "", "```", _signature(name, called), "```", "", " ".join(text["Summary"]), ""]
    lines += [*_paragraphs(text["Extended Summary"]), table(HEADINGS, own)]
    for section in ("Returns", "Raises"):
        if text[section]:
            lines += [f"{section}:", "", *(_entry(each) for each in text[section]), ""]
    lines += _examples(text["Examples"])
    return "\n".join(lines)


def _signature(name: str, called: Any) -> str:
    """Own arguments with their defaults; options have a separate table."""
    signs: dict[object, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    kept = []
    for each in inspect.signature(called).parameters.values():
        if each.name == "self" or each.name in Options.__annotations__:
            continue
        kept.append(
            f"{signs.get(each.kind, '')}{each.name}" + ("" if each.default is each.empty else f"={each.default!r}")
        )
    taken = set(inspect.signature(called).parameters) & set(Options.__annotations__)
    return f"{name}({', '.join([*kept, *(['**options'] if taken else [])])})"


def _entry(each: Any) -> str:
    label = ", ".join(filter(None, (each.name, each.type)))
    return f"- `{label}`: {' '.join(each.desc).replace('``', '`')}"


def _paragraphs(lines: list[str]) -> list[str]:
    return [line.replace("``", "`") for line in lines] + [""] if lines else []


def _examples(lines: list[str]) -> list[str]:
    """Format sentences as text, and lines to type as code."""
    found: list[str] = []
    for line in lines:
        if line.startswith(">>> "):
            found += ["```", line.removeprefix(">>> "), "```"]
        else:
            found.append(line)
    return found
