"""Plans of findings bound to the devices of a session and to the judges of the reduction."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import bluesky.preprocessors as bpp
from bluesky.utils import MsgGenerator

from beamline.config.models import Configuration
from beamline.session.explain import explained
from beamline.station.beamline import Beamline
from plans.commissioning.crystal import find_crystal
from plans.commissioning.energy import find_energy
from plans.commissioning.gate import find_gate
from plans.commissioning.knife import find_focus, find_knife
from plans.commissioning.overlap import find_overlap
from plans.commissioning.roles import Bench, BoxcarPair, Judged
from plans.commissioning.steady import find_flux, find_jet
from plans.commissioning.threshold import find_threshold
from plans.commissioning.time_zero import find_time_zero
from plans.commissioning.windows import find_windows
from plans.protocols import Instruments, Supervision
from reduction.documents.detectors import FOIL, TRANSMISSION, Detector
from reduction.documents.finding_run import JUDGE, judges_of

FINDINGS: Mapping[str, Callable[..., MsgGenerator[Any]]] = {
    "find_threshold": find_threshold,
    "find_gate": find_gate,
    "find_time_zero": find_time_zero,
    "find_crystal": find_crystal,
    "find_energy": find_energy,
    "find_overlap": find_overlap,
    "find_windows": find_windows,
    "find_flux": find_flux,
    "find_jet": find_jet,
    "find_knife": find_knife,
    "find_focus": find_focus,
}
"""By name, each plan; its judge is the method of `Judges` with the same name but ``find_``."""
FILLED = ("bench", "judge")
I0_LEAST = 1e4
"""Counts/s of I0 from which on there is beam, where the configuration has no check of it."""


class FindingContext(Protocol):
    """What findings need from a session."""

    @property
    def config(self) -> Configuration: ...

    @property
    def beamline(self) -> Beamline: ...

    @property
    def instruments(self) -> Instruments: ...

    @property
    def supervision(self) -> Supervision: ...

    def metadata(self) -> dict[str, Any]: ...


def bench(context: FindingContext) -> Bench:
    """Devices of the findings."""
    beamline = context.beamline
    timing = beamline.find("timing")
    return Bench(
        instruments=context.instruments,
        threshold=beamline.find("threshold"),
        time_zero=getattr(beamline.find("delay"), "t0", None),
        calibration=getattr(beamline.find("energy"), "calibration_offset", None),
        fill_pattern=beamline.find("bunch_currents") or getattr(timing, "bunch_currents", None),
        foil=next((beamline.part(each.device) for each in chambers(context.config, FOIL)), None),
        second_crystal=beamline.find("second_crystal"),
        attenuator=beamline.find("attenuator"),
        i0_gain=beamline.find("i0_gain"),
        i0_most=context.config.commissioning.i0_most,
        foil_stage=beamline.find("foil_stage"),
        foils=context.config.commissioning.foils,
        laser_focus=beamline.find("laser_focus"),
        knife=beamline.all("knife"),
        knife_diode=beamline.find("knife_diode"),
        delay_sign=getattr(beamline.find("delay"), "sign", None),
        laser_steering=[beamline.part(name) for name in context.config.roles.laser_steering],
        supervision=context.supervision,
    )


def chambers(config: Configuration, *kinds: str) -> list[Detector]:
    """Chambers of these kinds, in the order of the kinds."""
    return [
        Detector(name, kind, entry.device, edge=entry.edge)
        for kind in kinds
        for name, entry in config.detectors.items()
        if entry.kind == kind
    ]


def judge_entry(used: Bench, config: Configuration) -> dict[str, Any]:
    """What the judges have to know of these devices, as it is written to start documents."""
    checks = config.checks
    fill = used.fill_pattern
    key = "" if fill is None else f"{fill.name}_record" if hasattr(fill, "record") else fill.name
    return {
        "counter": used.instruments.counters[0].name,
        "threshold": used.threshold.name if used.threshold is not None else "",
        "bunch_currents": key,
        "i0_least": next((each.low for each in checks if each.key == "i0" and each.per == "i0_time"), I0_LEAST),
        "foil": [[each.name, each.kind, each.device, each.edge] for each in chambers(config, FOIL, TRANSMISSION)[:2]],
        "steering": [each.name for each in used.laser_steering] or ["along", "across"],
        "boxcar": next((each.name for each in used.instruments.counters if isinstance(each, BoxcarPair)), ""),
        "ring_current": f"{config.roles.ring}_current" if config.roles.ring else "",
        "diode": used.knife_diode.name if used.knife_diode is not None else "",
    }


class BoundFinding:
    """One finding of a session: call it for the plan.

    Parameters
    ----------
    name : str
        One of `FINDINGS`.
    context : FindingContext
    """

    def __init__(self, name: str, context: FindingContext) -> None:
        self._name, self._plan, self._context = name, FINDINGS[name], context

    def __call__(self, *args: Any, **kwargs: Any) -> MsgGenerator[Judged]:
        """The plan, for ``RE(...)``."""
        used = bench(self._context)
        entry = judge_entry(used, self._context.config)
        judge = getattr(judges_of(entry), self._name.removeprefix("find_"))
        plan = self._plan(used, judge, *args, **kwargs)
        return bpp.inject_md_wrapper(plan, {**self._context.metadata(), JUDGE: entry})

    def function(self) -> Callable[..., MsgGenerator[Judged]]:
        """The plan as a generator function, for IPython's help and the queue server."""

        @functools.wraps(self._plan)
        def plan(*args: Any, **kwargs: Any) -> MsgGenerator[Judged]:
            return (yield from self(*args, **kwargs))

        own = inspect.signature(self._plan).parameters.values()
        plan.__doc__ = explained(self._plan, ())
        plan.__annotations__ = {}  # the queue server would resolve them in its own namespace
        bare = [each.replace(annotation=each.empty) for each in own if each.name not in FILLED]
        plan.__signature__ = inspect.Signature(bare)  # type: ignore[attr-defined]
        return plan
