"""Body of the scan page while a finding is made: its counts so far, what is fitted to them, and what they say."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from math import isfinite
from typing import Any

from matplotlib.figure import Figure

from beamline.formatting import printable, with_error
from beamline.outputs.finding_figure import draw_finding
from beamline.outputs.live_figure.artists import set_text
from beamline.outputs.live_figure.content import PageContent
from beamline.outputs.live_figure.scan_body import ScanBody
from plans.commissioning.document import FindingReading
from reduction.documents.finding_run import FindingRun

LINE = 125
"""Characters a line."""
LINES = 5
SO_FAR = "so far"


def scan_or_finding(figure: Figure, content: PageContent) -> ScanBody | FindingBody:
    """Body of the newest scan set, or of the finding that is newer."""
    return ScanBody(figure, content) if content.finding.start is None else FindingBody(figure)


class FindingBody:
    """The curve of a finding above its sentences.

    Parameters
    ----------
    figure : Figure
    """

    def __init__(self, figure: Figure) -> None:
        self._axes = figure.add_axes((0.095, 0.29, 0.885, 0.545))
        self._text = figure.text(0.075, 0.205, "", fontsize=11.5, va="top", linespacing=1.35, parse_math=False)

    def update(self, content: PageContent) -> None:
        """Draw the current state."""
        data = data_of(content.finding)
        self._axes.clear()
        if data is None:
            self._axes.text(0.5, 0.5, "counting", transform=self._axes.transAxes, ha="center", color="0.4", fontsize=16)
            return
        draw_finding(self._axes, data)
        self._axes.grid(alpha=0.25)
        set_text(self._text, "\n".join(sentences(data)))

    def release(self) -> None:
        """Limits always follow the data."""


def data_of(finding: FindingRun) -> Mapping[str, Any] | None:
    """Data as those of the stream `finding`: of the finding that was made, or of the counts so far; None without."""
    if finding.made is not None:
        return finding.made
    found = finding.judged()
    if found is None:
        return None
    return {key: entry["value"] for key, entry in FindingReading(found, SO_FAR, {}).read().items()}


def sentences(data: Mapping[str, Any]) -> list[str]:
    """Value, verdict and reason, and below it the further numbers, in short lines."""
    value, stddev, unit = (data[f"finding_{key}"] for key in ("value", "stddev", "unit"))
    verdict, outcome, reason = (printable(data[f"finding_{key}"]) for key in ("verdict", "outcome", "reason"))
    number = f" {_number(value, stddev)} {unit}" if isfinite(value) else ""
    further = json.loads(str(data["finding_numbers"]))
    shown = [f"{name} {_number(*pair)}" for name, pair in further.items() if isfinite(pair[0])]
    said = f"{number} {verdict}, {outcome}. {reason}"
    if outcome == SO_FAR and verdict == "bad":  # what more counts will find gives no reason to look for a cause
        said = " not found so far"
    lines = textwrap.wrap(f"{data['finding_name']}:{said}", LINE)
    lines += textwrap.wrap("   ".join(printable(each).replace(" ", "\xa0") for each in shown), LINE)
    return lines if len(lines) <= LINES else [*lines[: LINES - 1], "..."]


def _number(value: float, stddev: float) -> str:
    return " +- ".join(with_error(value, stddev)) if isfinite(stddev) and stddev > 0 else f"{value:.6g}"
