"""Texts of the live figure."""

from __future__ import annotations

import textwrap
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from beamline.formatting import duration, format_delay, printable
from beamline.outputs.live_figure.scan import LiveScan
from beamline.session.pass_progress import RUNNING, WAITING
from reduction.documents.finding_run import FindingRun
from reduction.documents.raw import DELAY_AXIS, ENERGY_AXIS, FLUENCE_AXIS, IMPORTED, is_pumped

CALM, GOOD, CAUTION, ALARM, QUIET = "#0072B2", "#009E73", "#B87400", "#D55E00", "0.45"
"""Colours of a headline, distinguishable with colour blindness; the texts differ too."""
TITLE = 80
"""Most characters of the title."""
LINE = 46
"""Characters per line of messages."""
LINES = 12
UNREDUCED = 3
"""Unreduced dwells from which on the reduction counts as degraded."""


@dataclass(frozen=True)
class Headline:
    """The state of a scan as a short text, and its colour."""

    text: str
    colour: str


@dataclass(frozen=True)
class HeaderTexts:
    """What stands above a page: what is measured, its state, how far it is, and that as a fraction of some passes."""

    title: str
    state: Headline
    progress: str
    fraction: float = 0.0
    passes: int = 1


def header_of_scan(scan: LiveScan, now: float) -> HeaderTexts:
    """Header of a scan set at `now`, seconds since 1970."""
    progress = scan.progress
    state, line = headline(scan, now), progress_line(scan, now)
    return HeaderTexts(title(scan), state, line, progress.fraction, progress.passes)


def header_of_finding(finding: FindingRun, now: float) -> HeaderTexts:
    """Header of a finding at `now`, seconds since 1970."""
    start = finding.start or {}
    what = "   ".join(printable(part) for part in (start.get("plan_name", ""), start.get("sample", "")) if part)
    taken = (finding.last if finding.status else now) - float(start.get("time", now))
    line = f"{finding.counts} counts in {duration(max(taken, 0.0))}"
    return HeaderTexts(shortened(what), _state_of_finding(finding), line, float(bool(finding.status)))


def _state_of_finding(finding: FindingRun) -> Headline:
    if finding.made is not None:
        verdict, outcome = (printable(finding.made[f"finding_{key}"]) for key in ("verdict", "outcome"))
        short = outcome.split(":")[0].upper()
        return Headline(f"{verdict.upper()}, {short}", {"good": GOOD, "look": CAUTION}.get(verdict, ALARM))
    if finding.status:
        return Headline(f"ENDED EARLY ({finding.status})", CAUTION)
    return Headline("RUNNING", CALM)


def headline(scan: LiveScan, now: float) -> Headline:
    """The most important state at this moment.

    Parameters
    ----------
    scan : LiveScan
    now : float
        Seconds since 1970.
    """
    progress = scan.progress
    silence = progress.silent_for(now)
    if progress.status == WAITING:
        return Headline("WAITING FOR A SCAN", QUIET)
    if scan.unreduced >= UNREDUCED:
        return Headline(f"DEGRADED: {scan.unreduced} dwells not reduced, raw data are kept", ALARM)
    if silence is not None:
        return Headline(f"NO DWELL FOR {duration(silence)}", ALARM)
    if progress.status == RUNNING and scan.last_fault:
        return Headline(f"BAD DWELL: {scan.last_fault[:50]}", ALARM)
    if progress.status == RUNNING:
        return Headline("RUNNING", CALM)
    if progress.status == "success":
        return Headline("FINISHED" if progress.over else "PASS FINISHED", GOOD)
    return Headline(f"ENDED EARLY ({progress.status})", CAUTION)


def normalisation_state(scan: LiveScan) -> Headline:
    """Normalisation of the spectra shown."""
    number = scan.spectrum_passes
    result = scan.spectrum if scan.spectrum is not None else scan.trace
    if scan.complete and result is not None:
        reference = result.get("reference") or (scan.start or {}).get("reference", "")
        return Headline(f"COMPLETE: {number} pass{'es' if number != 1 else ''}, reference '{reference}'", GOOD)
    if scan.axis != ENERGY_AXIS:
        return Headline("PROVISIONAL (open circles): sums so far, relative to laser off", CAUTION)
    if scan.normalisation is not None:
        before = "the pass" if number == 1 else f"the {number} passes"
        return Headline(f"PROVISIONAL (open circles): normalised by {before} before (faint)", CAUTION)
    return Headline("PROVISIONAL: first pass, relative to the laser-off rate", CAUTION)


def progress_line(scan: LiveScan, now: float) -> str:
    """Pass, point, percentage, time left and end time."""
    progress = scan.progress
    if not progress.planned:
        return ""
    part, done, number = parts_done(scan)
    line = (
        f"pass {progress.index + 1} of {progress.passes}   {part} {done} of {number}   {100 * progress.fraction:.0f} %"
    )
    left = progress.seconds_left(now)
    if left is None:
        return line
    return f"{line}   {duration(left)} left, ends {time.strftime('%H:%M', time.localtime(now + left))}"


def parts_done(scan: LiveScan) -> tuple[str, int, int]:
    """What a pass consists of, ``point`` or ``sweep``, how many are done, and of how many."""
    start = scan.start or {}
    dwells, done = max(1, len(start.get("pattern", (1,)))), int(scan.progress.done)
    if "frame" in start:  # an event is a sweep over all points
        return "sweep", min(done, dwells), dwells
    return "point", min(done // dwells, scan.energy.size), scan.energy.size


def title(scan: LiveScan) -> str:
    """What is measured, of a limited length."""
    return shortened(described(scan))


def shortened(text: str) -> str:
    """A text of a limited length, without mathematics."""
    return (text if len(text) <= TITLE else text[: TITLE - 4] + " ...").replace("$", r"\$")


def described(scan: LiveScan) -> str:
    """What is measured."""
    start = scan.start or {}
    parts = [str(start.get("edge", "")).replace("_", " ")]
    parts += [f"{start['probe_energy']:.4f} keV"] if "probe_energy" in start else []
    parts += ["delay scan" if scan.axis == DELAY_AXIS else _delay(start)]
    parts += ["fluence scan"] if scan.axis == FLUENCE_AXIS else []
    parts += [str(start.get("sample", ""))]
    return "   ".join(printable(part) for part in parts if part)


def _delay(start: Mapping[str, Any]) -> str:
    """The delay; of an imported run that it came from a file, which may not know a delay."""
    if IMPORTED in start:
        return "imported"
    if not is_pumped(start):
        return "no laser"
    return format_delay(start.get("pump_delay"))


def messages(scan: LiveScan) -> str:
    """Bad dwells, saturation and notes of the reduction, in short lines."""
    lines = [line for sentence in sentences(scan) for line in wrapped(sentence)]
    if len(lines) > LINES:
        lines = [*lines[: LINES - 1], "..."]
    return "\n".join(lines) or "none"


def sentences(scan: LiveScan) -> list[str]:
    """Bad dwells, saturation and notes of the reduction."""
    found = [f"{count} bad dwells this pass: {fault}" for fault, count in Counter(scan.faults).most_common(3)]
    if worst := int(scan.bad_phases.max(initial=0)):
        phases = scan.pattern.num_phases if scan.pattern else "?"
        found.append(f"Saturated or shut: up to {worst} of {phases} phases")
    result = scan.spectrum if scan.spectrum is not None else scan.trace
    if result is not None and (out := np.flatnonzero(result.get("bunches_out", ()))).size:
        found.append(f"Bunches left out: {', '.join(map(str, out))}")
    notes = str((result or {}).get("notes", ""))
    found += [scan.progress.reason, scan.message]
    found += [scan.each.sentence] if scan.complete and scan.each.sentence not in notes else []
    return [sentence for sentence in (*found, notes) if sentence]


def wrapped(text: str) -> list[str]:
    """Wrap a message, the first line with a bullet."""
    clean = printable(text).replace("$", r"\$")  # no mathtext
    return textwrap.wrap(clean, LINE, initial_indent="- ", subsequent_indent="  ")
