"""The finding that is newer than any scan: its counts so far, or what it found."""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from beamline.formatting import printable
from beamline.outputs.finding_figure import LOGARITHMIC
from beamline.outputs.live_figure.content import PageContent
from beamline.outputs.live_figure.finding_body import data_of, sentences
from beamline.outputs.web.parts.progress import LEVELS

CURVE = {"x": "x", "y": "y", "e": "stddev", "fit_x": "fit_x", "fit": "fit"}


def finding(content: PageContent) -> dict[str, Any]:
    """State, sentences and curve; empty where a scan is newer, or without a finding."""
    run = content.finding
    if run.start is None:
        return {}
    header, data = content.header(run.last), data_of(run)
    found: dict[str, Any] = {"title": header.title, "state": header.state.text, "level": LEVELS[header.state.colour]}
    if data is None:
        return found
    return {
        **found,
        "sentences": sentences(data),
        "labels": [printable(data[f"finding_{axis}_label"]) for axis in ("x", "y")],
        "logarithmic": data["finding_name"] in LOGARITHMIC,
        **{key: _exact(data[f"finding_curve_{name}"]) for key, name in CURVE.items()},
    }


def _exact(values: ArrayLike) -> list[float | None]:
    """With more digits than other plots have: an energy is scanned in steps of 0.25 eV."""
    return [round(each, 9) if isfinite(each) else None for each in np.asarray(values, dtype=np.float64).tolist()]
