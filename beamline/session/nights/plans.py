"""The plans that a row may name, without a beamline: to check arguments and to estimate times."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, cast

from beamline.config.models import Configuration
from beamline.session.commissioning.commissioning import Commissioning
from beamline.session.nights.rows import Plans
from beamline.session.scans.bind import PLANS, BoundPlan
from beamline.session.scans.dry_run import DryRunContext


def plans_of(config: Configuration, present: str) -> Callable[[str], Plans]:
    """A function that returns the plans for a sample.

    Parameters
    ----------
    config : Configuration
    present : str
        The present sample, of rows that name none.
    """

    @cache
    def plans(sample: str) -> Plans:
        context = DryRunContext(
            config.data.root,
            config.reduction,
            entries=config.edges,
            sample=sample or present,
            energy_limits=config.energy_limits,
            roles=config.station.roles,
        )
        scans = {name: BoundPlan(name, context).function() for name in PLANS}
        return {**scans, **findings()}

    return plans


@cache
def findings() -> Mapping[str, Callable[..., Any]]:
    """Findings; with neither devices nor known ones they can be looked at, and not run."""
    nothing = cast(Any, None)
    return Commissioning(nothing, nothing).functions()
