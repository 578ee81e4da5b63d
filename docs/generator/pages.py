"""The generated sections of each page, and their insertion.

Text between ``<!-- generated: NAME -->`` and ``<!-- end of generated -->`` is generated; the rest of a page is
written by hand and left unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from docs.generator.commands import commands
from docs.generator.devices import signals
from docs.generator.models import configuration, scenario
from docs.generator.plans import plans
from docs.generator.results import kinetics, settings, spectrum, traces
from docs.generator.watched import watched

REFERENCE = Path(__file__).parents[1] / "reference"
SECTIONS: Mapping[str, Callable[[], str]] = {
    "commands": commands,
    "configuration": configuration,
    "kinetics": kinetics,
    "plans": plans,
    "scenario": scenario,
    "settings": settings,
    "signals": signals,
    "spectrum": spectrum,
    "traces": traces,
    "watched": watched,
}
SECTION = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end of generated -->)", re.DOTALL)


def pages() -> dict[Path, str]:
    """Every page with generated sections, and its up-to-date content.

    Raises
    ------
    KeyError
        If a page requests an unknown section.
    """
    found = {}
    for path in sorted(REFERENCE.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        if SECTION.search(text):
            found[path] = SECTION.sub(_put_in, text)
    return found


def _put_in(found: re.Match[str]) -> str:
    return f"{found[1]}\n{SECTIONS[found[2]]().strip()}\n\n{found[3]}"


def outdated(path: Path, text: str) -> bool:
    """Whether a page differs from its up-to-date content."""
    return path.read_text(encoding="utf-8") != text
