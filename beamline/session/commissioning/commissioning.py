"""The findings of a session: their plans, all of them in the order that works, and the list of the latest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bluesky.utils import MsgGenerator

from beamline.session.commissioning.bind import FINDINGS, BoundFinding, FindingContext
from beamline.session.commissioning.known import KnownFindings

ORDER = ("threshold", "gate", "energy", "time_zero")
"""Each needs those before it, the energy apart, which needs neither."""
NEEDS_FOIL = "energy"


class CommissioningError(RuntimeError):
    """A finding was not made; the message has the reason and how to go on."""


class Commissioning:
    """Plans of findings, and what they found.

    Parameters
    ----------
    context : FindingContext
    known : KnownFindings
    plans : mapping, optional
        Plans by name; by default those of the session.
    """

    def __init__(
        self,
        context: FindingContext,
        known: KnownFindings,
        plans: Mapping[str, Callable[..., MsgGenerator[Any]]] | None = None,
    ) -> None:
        self.known, self._context = known, context
        bound = {name: BoundFinding(name, context) for name in FINDINGS}
        self.plans = plans if plans is not None else {name: plan.function() for name, plan in bound.items()}

    def functions(self) -> dict[str, Callable[..., Any]]:
        """The plans by name."""
        return {**self.plans, "commission": self.commission}

    def findings(self) -> None:
        """Print the latest finding of each kind with value, error, verdict and age."""
        print(self.known.table())

    def commission(self, first: str = ORDER[0]) -> MsgGenerator[None]:
        """Make and set all findings in the order that works: threshold, gate, energy (if there is a foil), time zero.

        Stops at the first that is not good or not confirmed; what was set before it stays.

        Examples
        --------
        From a cold beamline, and on from the gate once its cause is gone:

        >>> RE(commission())
        >>> RE(commission(first="gate"))

        Parameters
        ----------
        first : str
            Where to begin: ``threshold``, ``gate``, ``energy`` or ``time_zero``.

        Raises
        ------
        ValueError
            If there is no such finding.
        CommissioningError
            With the reason, and how to go on.
        """
        if first not in ORDER:
            raise ValueError(f"first must be one of {', '.join(ORDER)}, not {first!r}")
        has_foil = any(entry.kind == "foil" for entry in self._context.config.detectors.values())
        for name in ORDER[ORDER.index(first) :]:
            if name == NEEDS_FOIL and not has_foil:
                continue
            yield from self.plans[f"find_{name}"](apply=True)
            if why := self.known.why_not_set(name):
                raise CommissioningError(f'{name}: {why}. Then go on with RE(commission(first="{name}"))')
        self.findings()
