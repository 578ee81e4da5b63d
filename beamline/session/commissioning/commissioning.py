"""The findings of a session: their plans, all of them in the order that works, and the list of the latest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bluesky.utils import MsgGenerator

from beamline.session.commissioning.bind import FINDINGS, BoundFinding, FindingContext
from beamline.session.commissioning.check import QUICK, FindingCheck, table
from beamline.session.commissioning.known import KnownFindings
from plans.commissioning.find import WENT_BACK

STEPS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "crystal": ("crystal", {}),
    "threshold": ("threshold", {"dwell": 0.25}),
    "gate": ("gate", {"dwell": 0.1}),
    "windows": ("windows", {}),
    "energy": ("energy", {}),
    "flux": ("flux", {"counts": 16, "dwell": 0.25}),
    "focus": ("focus", {"dwell": 0.05}),
    "knife": ("knife", {"dwell": 0.05}),
    "coarse_time_zero": ("time_zero", {"target": 70.0}),
    "overlap": ("overlap", {"delay": 170.0, "reach": 60.0, "target": 0.9}),
    "time_zero": ("time_zero", {"near": 400.0, "target": 1.3, "most_passes": 11}),
}
"""Steps in the order that works, each with its finding and its arguments: each needs those before it, the energy apart,
which needs none. With a part of the laser the onset is seen, which is enough for the overlap; time zero to some ps
needs all of the laser, and comes last, since it drifts."""
TRIES = 2
"""Two measurements of a good finding disagree by chance in one of a hundred cold starts: it is then made once more."""
ADVICE = ("flux",)
"""Findings that a person may leave as they are: a doubt about one of them is printed, and the next step follows."""
PUMPED = ("time_zero", "overlap")
"""Findings with the laser on."""


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
        return {**self.plans, "commission": self.commission, "check_all": self.check_all}

    def findings(self) -> None:
        """Print the latest finding of each kind with value, error, verdict and age."""
        print(self.known.table())

    def commission(self, first: str = "crystal") -> MsgGenerator[None]:
        """Make and set all findings in the order that works, which `STEPS` lists.

        Steps for which there are no devices are left out: boxcars, a foil, an attenuator, a knife, motors of crystal,
        lens and laser. The laser has meanwhile the fluence of ``[commissioning]``, if that has one. Stops at the first
        finding that is not good, or not confirmed in two tries; what was set before it stays. A doubt about the flux is
        only printed.

        Examples
        --------
        From a cold beamline, and on from the gate once its cause is gone:

        >>> RE(commission())
        >>> RE(commission(first="gate"))

        Parameters
        ----------
        first : str
            Where to begin: ``crystal``, ``threshold``, ``gate``, ``windows``, ``energy``, ``flux``, ``focus``,
            ``knife``, ``coarse_time_zero``, ``overlap`` or ``time_zero``.

        Raises
        ------
        ValueError
            If there is no such finding.
        CommissioningError
            With the reason, and how to go on.
        """
        steps = list(STEPS)
        if first not in steps:
            raise ValueError(f"first must be one of {', '.join(steps)}, not {first!r}")
        for step in steps[steps.index(first) :]:
            name, arguments = STEPS[step]
            if name in self._impossible():
                continue
            for _ in range(TRIES):
                yield from self.plans[f"find_{name}"](apply=True, **arguments, **self._sample(name))
                if not (why := self.known.why_not_set(name)).startswith(WENT_BACK):
                    break
            if why and (name not in ADVICE or self.known.latest()[name].verdict == "bad"):
                raise CommissioningError(f'{step}: {why}. Then go on with RE(commission(first="{step}"))')
            if why:
                print(f"{step}: {why}. The steps that follow do without.")
        self.findings()

    def check_all(self) -> MsgGenerator[None]:
        """Measure every finding in use again, briefly, and compare: good, look or bad. Two minutes; sets nothing.

        Examples
        --------
        At the start of a shift:

        >>> RE(check_all())

        Parameters
        ----------
        """
        used, compared = self.known.in_use(), []
        for name in [each for each in QUICK if each in used and each not in self._impossible()]:
            yield from self.plans[f"find_{name}"](apply=False, **QUICK[name])
            compared.append(FindingCheck(used[name], self.known.latest()[name]))
        print(table(compared) if compared else "No finding is in use: RE(commission()) makes and sets all of them.")

    def _sample(self, name: str) -> dict[str, Any]:
        """Arguments of findings with the laser on."""
        config, found = self._context.config, dict[str, Any]()
        if name in PUMPED and config.commissioning.fluence is not None and config.roles.fluence is not None:
            found["fluence"] = config.commissioning.fluence
        if name == "time_zero" and config.commissioning.lifetime is not None:
            found["lifetime"] = config.commissioning.lifetime
        return found

    def _impossible(self) -> set[str]:
        """Findings for which this beamline has no devices."""
        config = self._context.config
        has_foil = any(entry.kind == "foil" for entry in config.detectors.values())
        boxcars = any(config.devices[name].kind == "boxcar" for name in config.roles.counters if name in config.devices)
        knife = bool(config.roles.knife) and config.roles.knife_diode is not None
        possible = {
            "crystal": config.roles.second_crystal is not None,
            "windows": boxcars,
            "energy": has_foil,
            "overlap": bool(config.roles.laser_steering),
            "flux": config.roles.attenuator is not None or config.roles.i0_gain is not None,
            "focus": knife and config.roles.laser_focus is not None,
            "knife": knife and bool(config.roles.laser_steering),
        }
        return {name for name, is_there in possible.items() if not is_there}
