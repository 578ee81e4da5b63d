"""Shows the result of `RE(...)` at a prompt on one line; the value itself is unchanged."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import GeneratorType
from typing import TYPE_CHECKING, Any

from beamline.records.journal.ends import start_of
from beamline.records.journal.files import find_run

if TYPE_CHECKING:
    from bluesky.run_engine import RunEngineResult

FEW = 3
"""Most runs listed one by one."""
PLAIN = (int, float, str)
OWN = "beamline"
WITH_PLANS = (OWN, "bluesky")
"""Packages whose generators are plans; `preview` takes its `OWN`."""
SHORT = 8
"""Characters of a uid."""


def outcome(result: RunEngineResult, root: Path) -> str:
    """Scan numbers and uids of a plan's runs, exit status and reason; its return value if a number or a string.

    Parameters
    ----------
    result : bluesky.run_engine.RunEngineResult
    root : Path
        Data root of the journal, which holds the scan numbers.
    """
    ended = f"{result.exit_status}, {result.reason}" if result.reason else result.exit_status
    if not result.run_start_uids:
        return f"{ended}, returned {result.plan_result!r}" if isinstance(result.plan_result, PLAIN) else ended
    starts = [_start(root, uid) for uid in result.run_start_uids]
    return f"{_numbers(starts)} ({_uids(result.run_start_uids)}){_of(starts[0], result.plan_result)}: {ended}"


def show_outcomes(shell: Any, root: Callable[[], Path | None]) -> None:
    """Register this display of plan results with IPython; ``Out`` and ``_`` hold the full result.

    Parameters
    ----------
    shell : IPython.core.interactiveshell.InteractiveShell
    root : callable
        Returns the data root, or None without a session: results are then shown in full.
    """
    plain = shell.display_formatter.formatters["text/plain"]
    plain.for_type(GeneratorType, _print_plan)
    plain.for_type_by_name("bluesky.run_engine", "RunEngineResult", partial(_print, root))


def _print_plan(plan: GeneratorType[Any, Any, Any], printer: Any, cycle: bool) -> None:
    """A plan that was typed without RE does nothing; other generators look as always."""
    frame = plan.gi_frame if inspect.getgeneratorstate(plan) == inspect.GEN_CREATED else None
    package = "" if frame is None else frame.f_globals["__name__"].partition(".")[0]
    if package not in WITH_PLANS:
        printer.text(repr(plan))
        return
    name = plan.__name__
    shown = f", preview({name}(...)) shows it" if package == OWN else ""
    printer.text(f"a plan, nothing has run: RE({name}(...)) runs it{shown}")


def _print(find_root: Callable[[], Path | None], result: RunEngineResult, printer: Any, cycle: bool) -> None:
    root = find_root()
    printer.text(repr(result) if root is None else outcome(result, root))


def _of(start: dict[str, Any], returned: object) -> str:
    """The scan set or series that a plan returned."""
    for key, label in (("scan_set", "scan set"), ("series", "series")):
        if key in start and start[key] == returned:
            return f" of {label} {str(returned)[:SHORT]}"
    return ""


def _start(root: Path, uid: str) -> dict[str, Any]:
    path = find_run(root, uid)
    return (start_of(path) if path is not None else None) or {}


def _numbers(starts: Sequence[dict[str, Any]]) -> str:
    numbers = [start["scan_id"] for start in starts if "scan_id" in start]
    if not numbers:
        return "run" if len(starts) == 1 else f"{len(starts)} runs"
    return f"scan {numbers[0]}" if len(numbers) == 1 else f"scans {numbers[0]} to {numbers[-1]}"


def _uids(uids: Sequence[str]) -> str:
    short = [uid[:SHORT] for uid in uids]
    return ", ".join(short) if len(short) <= FEW else f"{short[0]} to {short[-1]}"
