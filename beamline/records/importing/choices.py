"""What the user says about a file, and what labels say by themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from beamline.records.importing.errors import ImportRefusedError
from beamline.records.importing.table import Array, Table


@dataclass(frozen=True)
class Choices:
    """Choices of the user; empty ones are made from the labels, and a remark of the run names them.

    Attributes
    ----------
    x, i0, signal : str
        Labels of the scanned axis, of the incoming and of the measured intensity or of an absorption; `i0` may be
        ``none``.
    mode : str
        ``transmission``, ``fluorescence`` or ``absorption``: what `signal` is; by default, by its label.
    unit : str
        Of the axis: eV, keV, deg; ps, ns, us, s with a minus to turn the sign; mJ/cm2.
    edge, sample : str
    counts : bool
        `signal` holds single photons: errors are their square roots.
    pump : str
        First orbit and bunch after the pump, like ``o8b0``.
    turn : float
        Duration of an orbit, us; 0 for that of the APS.
    gates : str
        Label of the opened gates of columns by channel, orbit and bunch, or their number a row.
    monitor : str
        Channel of the monitor, ``c0``, or the label of an ion chamber, or ``none``.
    """

    x: str = ""
    i0: str = ""
    signal: str = ""
    mode: str = ""
    unit: str = ""
    edge: str = ""
    sample: str = ""
    counts: bool = False
    pump: str = ""
    turn: float = 0.0
    gates: str = ""
    monitor: str = ""


ENERGY = (r"(mono_)?energy(_k?ev)?", r".*achieved_?energy", r"(?!.*requested).*energy.*")
DELAY = (r"(laser_)?delay(_(ps|ns|us|s))?", r"laserd|dutd")
FLUENCE = (r"(laser_)?fluence.*",)
I0 = (r"i_?[0o]", r"ion_?1", r"i[0o]_.*", r"monitor", r"imon", r".*_i0")
TRANSMITTED = (r"it|i_?1|itrans|signal", r"(i1|it)_.*", r"ion_?2")
FLUORESCENCE = (r"if{1,2}|ifl|ifluor|fluor.*", r"if_.*", r"flatot", r"lytle", r"pips")
MU = (r"x?mu|mut|mutrans|mufluor", r"mu01", r"norm(trans|fluor)?", r"mu_?ref(er)?")
SECONDS = (r"sec(onds?)?|dwell(_time)?|time_per_point|real_time_clock|time",)
ON, OFF = (r"pumped|(laser_?)?on|excited",), (r"unpumped|(laser_?)?off|ground",)
ERRORS = (r"{}_?(err|error|stddev|sigma|std)",)
"""Labels by what they stand for, in any case; earlier ones come first."""
SUMMED_LINE = re.compile(r"(.*_)?[a-z]{1,2}[kl][abg]\d?_sum(_.*)?", re.IGNORECASE)
"""An emission line summed over the channels of a detector."""
CHANNEL_LINE = re.compile(r"(.*_[kl][abg]\d?_?)mca(\d+)$", re.IGNORECASE)
"""An emission line in one channel of a detector with several."""


def first_label(labels: Iterable[str], patterns: Iterable[str]) -> str:
    """The first label that one of the patterns describes; empty if none does."""
    there = list(labels)
    for pattern in patterns:
        for label in there:
            if re.fullmatch(pattern, label, re.IGNORECASE):
                return label
    return ""


def errors_of(labels: Iterable[str], label: str) -> str:
    """Label of the standard deviation of a column; empty if there is none."""
    return first_label(labels, (pattern.format(re.escape(label)) for pattern in ERRORS))


def column(table: Table, label: str, what: str) -> Array:
    """The column of a label, in any case if only one fits.

    Raises
    ------
    ImportRefusedError
        If there is none, with the labels that there are, or if it holds a value that is no number.
    """
    found = label if label in table.columns else first_label(table.columns, (re.escape(label),))
    if not found:
        raise ImportRefusedError(f"{what} {label!r} is no column; columns are {listed(table)}")
    values = table.columns[found]
    if wrong := np.flatnonzero(~np.isfinite(values)).tolist():
        raise ImportRefusedError(
            f"{table.named_line(wrong[0])}: {found} is {values[wrong[0]]:g}: mend the line, or take another column"
        )
    return values


def listed(table: Table) -> str:
    """Labels of a table, shortened."""
    labels = list(table.columns)
    return ", ".join(labels[:20]) + (f" and {len(labels) - 20} more" if len(labels) > 20 else "")
