"""Settings of the reduction that the configuration gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, model_validator

from beamline.config.entries import Section


class Reduction(Section):
    """Beamline parameters that the reduction needs."""

    i0_noise: float = Field(default=1e-3, ge=0, lt=1)
    """Relative standard deviation of one I0 reading."""
    late_slots: Literal["family", "measured"] | None = None
    """What reference ``combined`` takes for the transient that late slots of an energy scan still hold: the average
    over a ``family`` of decays (the default), or what is ``measured`` against the laser off, with larger errors that
    are right for each sample."""
    background_age: float | None = Field(default=None, gt=0)
    """Age in seconds above which notes report a background; by default 8 h."""
    response: float | None = Field(default=None, gt=0)
    """Standard deviation of the response of a delay scan, ps; by default 45."""
    response_stddev: float | None = Field(default=None, gt=0)
    """Its standard deviation, ps, if measured independently; by default the trace determines the response."""
    foil: Literal["report", "apply"] | None = None
    """Whether each pass is moved by the shift that a foil gives its energies; by default it is reported."""
    response_file: Path | None = None
    """File with a separately measured response: two columns of text, time (ps) and density."""
    slot_bins: Literal["auto", "each", "log", "linear", "edges"] | None = None
    """How pump slots are summed in bins of time; by default each by itself up to 12, else ``log``."""
    slots_per_decade: int | None = Field(default=None, ge=1, le=20)
    """Bins of ``log`` for each factor of ten in time; by default 3."""
    slot_width: float | None = Field(default=None, gt=0)
    """Width of the bins of ``linear``, ps."""
    slot_edges: tuple[float, ...] | None = None
    """Edges of the bins of ``edges``, ps after the pump, ascending."""
    before_pump: float | None = Field(default=None, gt=0)
    """Time before the next pump in which the slots of a slow laser are the ground state, ps; by default a tenth of the
    laser period, at least a turn."""
    bunch_noise: float | None = Field(default=None, ge=0, lt=1)
    """Relative standard deviation of a reading of a bunch's current; by default from the readings themselves."""

    @model_validator(mode="after")
    def _check_bins(self) -> Reduction:
        for choice, name in (("linear", "slot_width"), ("edges", "slot_edges")):
            if self.slot_bins == choice and getattr(self, name) is None:
                raise ValueError(f"slot_bins {choice!r} needs {name} (ps)")
        edges = self.slot_edges or (0.0, 1.0)
        if len(edges) < 2 or sorted(set(edges)) != list(edges):
            raise ValueError(f"slot_edges must be two or more ascending times in ps, not {list(edges)}")
        return self


def reduction_settings(reduction: Reduction) -> dict[str, Any]:
    """The configured settings; others keep their defaults.

    Raises
    ------
    ValueError
        If the response file cannot be read, or is not a table of two columns.
    """
    found: dict[str, Any] = reduction.model_dump(exclude={"response_file"}, exclude_none=True)
    if reduction.response_file is not None:
        try:
            table = np.loadtxt(reduction.response_file, ndmin=2)
        except (OSError, ValueError) as error:
            raise ValueError(f"response_file {reduction.response_file}: {error}") from error
        if table.shape[1] != 2:
            raise ValueError(
                f"response_file {reduction.response_file} has {table.shape[1]} columns, not 2: ps, density"
            )
        found["response_shape"] = table.tolist()
    return found
