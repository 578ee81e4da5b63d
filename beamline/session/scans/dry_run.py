"""What plans need of a session, for previews without a beamline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from beamline.config.devices import Roles
from beamline.config.edges import EdgeEntry
from beamline.config.models import Reduction
from beamline.config.reduction_settings import reduction_settings
from beamline.session.scans.edges import EdgeBook
from plans.compilation.quality import Check
from plans.compilation.stopping_rule import StoppingRule
from plans.protocols import Instruments, Supervision


@dataclass(frozen=True)
class DryRunContext:
    """A context without a beamline, for `BoundPlan.compile` only.

    Attributes
    ----------
    data_root : Path
        Data root of background runs.
    reduction : Reduction
        Section of the configuration.
    entries : mapping of EdgeEntry
        Edges of the configuration.
    sample : str
        The present sample.
    energy_limits : tuple of float, optional
        keV.
    roles : Roles, optional
        Those of the configuration.
    detectors : mapping, optional
        As of a session.
    """

    data_root: Path
    reduction: Reduction
    checks: tuple[Check, ...] = ()
    entries: Mapping[str, EdgeEntry] = field(default_factory=dict)
    sample: str = ""
    energy_limits: tuple[float, float] | None = None
    roles: Roles | None = None
    detectors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def stopping_rule(self) -> StoppingRule:
        """A stopping rule that is never called."""
        return lambda point_index: None

    @property
    def allocation_rule(self) -> StoppingRule:
        """A stopping rule that is never called."""
        return self.stopping_rule

    @property
    def instruments(self) -> Instruments:
        """Not available."""
        raise RuntimeError("this plan is for previews only: start a session to run it")

    @property
    def supervision(self) -> Supervision:
        """None that waits for anything."""
        return Supervision()

    @property
    def edges(self) -> EdgeBook:
        """Edges of the configuration and of the proposal."""
        return EdgeBook(self.data_root, self.entries, self.energy_limits)

    def notify(self, text: str) -> None:
        """Not needed: a preview says the same."""

    def reduction_settings(self) -> dict[str, Any]:
        """Parameters of this beamline for the reduction."""
        return reduction_settings(self.reduction)

    def metadata(self) -> dict[str, Any]:
        """Nothing."""
        return {}
