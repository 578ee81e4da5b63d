"""Findings of the doctor about records and this machine."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

GOOD, NOTE, BAD = "good", "note", "bad"


@dataclass(frozen=True)
class Finding:
    """Result of one check.

    Attributes
    ----------
    what : str
        Name of a record, or of a part of this machine.
    state : str
        ``good``, ``note`` (worth knowing) or ``bad`` (wrong).
    message : str
        Description of the result.
    todo : str
        Recommended action; empty if none.
    """

    what: str
    state: str
    message: str
    todo: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class RecordReport:
    """One record of a device, as read.

    Attributes
    ----------
    device, signal, pv : str
    there : bool
    kind : str
        Type, as Channel Access names it.
    count : int
        Elements.
    value, unit : str
    limits : tuple of float or None
        Drive limits; None where the record has none.
    writable : bool
    latency : float, s
        Duration of a get; NaN without a reply.
    age : float, s
        Age of the time stamp by the clock of this machine; NaN if unknown.
    findings : tuple of Finding
        What is wrong or worth knowing.
    """

    device: str
    signal: str
    pv: str
    there: bool = False
    kind: str = ""
    count: int = 0
    value: str = ""
    unit: str = ""
    limits: tuple[float, float] | None = None
    writable: bool = False
    latency: float = float("nan")
    age: float = float("nan")
    findings: tuple[Finding, ...] = field(default=())

    @property
    def state(self) -> str:
        """The worst state of its findings."""
        return worst(self.findings)

    def as_json(self) -> dict[str, Any]:
        """As JSON-serialisable entries; NaN becomes None."""
        entry = {**asdict(self), "state": self.state}
        return {key: None if isinstance(value, float) and value != value else value for key, value in entry.items()}


def worst(findings: tuple[Finding, ...] | list[Finding]) -> str:
    """The worst state among findings; good without any."""
    order = (GOOD, NOTE, BAD)
    return max((finding.state for finding in findings), key=order.index, default=GOOD)
