"""The findings of a session: their plans, and the function that lists the latest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from beamline.session.commissioning.bind import FINDINGS, BoundFinding, FindingContext
from beamline.session.commissioning.known import KnownFindings


class Commissioning:
    """Plans of findings, and what they found.

    Parameters
    ----------
    context : FindingContext
    known : KnownFindings
    """

    def __init__(self, context: FindingContext, known: KnownFindings) -> None:
        self.known = known
        self.plans = {name: BoundFinding(name, context) for name in FINDINGS}

    def functions(self) -> dict[str, Callable[..., Any]]:
        """The plans by name."""
        return {name: plan.function() for name, plan in self.plans.items()}

    def findings(self) -> None:
        """Print the latest finding of each kind with value, error, verdict and age."""
        print(self.known.table())
