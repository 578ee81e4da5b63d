"""Plans bound to the instruments, checks and reduction parameters of a session, as users call them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Set
from pathlib import Path
from typing import Any, Protocol

import bluesky.preprocessors as bpp
from bluesky.utils import MsgGenerator

from beamline.config.devices import Roles
from beamline.records.runs.find import whole_set
from beamline.session.explain import explained
from beamline.session.scans.allocated import allocated_beforehand
from beamline.session.scans.background import background_of_detectors, background_settings, background_uid
from beamline.session.scans.edges import EdgeBook, note_on_grid
from beamline.session.scans.typed import refuse_unknown
from plans.compilation.compiled_scan import CompiledScan
from plans.compilation.edges import Edge
from plans.compilation.metadata import check_metadata
from plans.compilation.needed_roles import refuse_missing_roles
from plans.compilation.options import Options, names_quantities
from plans.compilation.quality import Check
from plans.compilation.stopping_rule import StoppingRule
from plans.protocols import Instruments, Supervision
from plans.scans.background import background_run, compiled_background_scan
from plans.scans.continuous import NOT_TAKEN as NOT_SWEPT
from plans.scans.continuous import compiled_continuous_scan, continuous_scan
from plans.scans.delay import compiled_delay_scan, delay_scan
from plans.scans.energy import compiled_delay_series, compiled_energy_scan, delay_series, energy_scan
from plans.scans.fluence import compiled_fluence_scan, fluence_scan
from plans.scans.temperature import NOT_TAKEN, compiled_temperature_series, temperature_series
from reduction.settings import Settings

PLANS: Mapping[str, tuple[Callable[..., MsgGenerator[str]], Callable[..., CompiledScan]]] = {
    "energy_scan": (energy_scan, compiled_energy_scan),
    "continuous_scan": (continuous_scan, compiled_continuous_scan),
    "delay_scan": (delay_scan, compiled_delay_scan),
    "fluence_scan": (fluence_scan, compiled_fluence_scan),
    "delay_series": (delay_series, compiled_delay_series),
    "temperature_series": (temperature_series, compiled_temperature_series),
    "background_run": (background_run, compiled_background_scan),
}
"""By name, each plan and the function that compiles it."""
ANY_WINDOWS: Mapping[str, tuple[float, float]] = {"pre_edge": (0.0, 1.0), "integral": (0.0, 1.0)}
"""In place of those of an edge, to check other settings."""
PROBES = {"delay_scan": "energies", "fluence_scan": "energy"}
"""Arguments with the energy of plans that measure at the main feature by default."""
WITHOUT_REDUCTION = ("background_run",)
OPTIONS = frozenset(Options.__annotations__) - {"supervision"}
"""Options that users give; a session fills in the supervision."""
DARK: Mapping[str, Any] = {"delay": None, "pattern": (0,)}
"""Arguments of an energy scan without the laser."""
OF_SERIES = OPTIONS - set(NOT_TAKEN)
OF_BACKGROUND = frozenset({"pattern", "attempts", "checks", "md"})
OPTIONS_OF = {
    "continuous_scan": OPTIONS - set(NOT_SWEPT) - {"forecast", "judge"},
    "fluence_scan": OPTIONS - {"fluence"},
    "temperature_series": OF_SERIES,
    "background_run": OF_BACKGROUND,
}
"""Options of plans that do not accept all of them."""


class PlanContext(Protocol):
    """What plans need from a session."""

    @property
    def checks(self) -> tuple[Check, ...]: ...

    @property
    def stopping_rule(self) -> StoppingRule: ...

    @property
    def allocation_rule(self) -> StoppingRule: ...

    @property
    def instruments(self) -> Instruments: ...

    @property
    def supervision(self) -> Supervision: ...

    @property
    def data_root(self) -> Path: ...

    @property
    def edges(self) -> EdgeBook: ...

    @property
    def sample(self) -> str: ...

    @property
    def roles(self) -> Roles | None: ...

    @property
    def detectors(self) -> Mapping[str, Mapping[str, Any]]:
        """Entry ``detectors`` of start documents; empty for the one counter that is meant without it."""

    def notify(self, text: str) -> None:
        """Report to the user."""

    def reduction_settings(self) -> dict[str, Any]:
        """Parameters of this beamline for the reduction."""

    def metadata(self) -> dict[str, Any]:
        """Start-document entries in addition to those of the RunEngine."""


class BoundPlan:
    """One plan of a session: call it for the plan, or `compile` for the compiled scan.

    Parameters
    ----------
    name : str
        One of `PLANS`.
    session : Surroundings
        Session of the plan.
    """

    def __init__(self, name: str, session: PlanContext) -> None:
        self._plan, self._compile = PLANS[name]
        self._session = session
        self._reduces = name not in WITHOUT_REDUCTION
        self._probe = PROBES.get(name)
        functools.update_wrapper(self, self._plan)
        options = OPTIONS_OF.get(name, OPTIONS)
        self.__doc__ = explained(self._plan, options)
        self.__signature__ = _signature(self._plan, options)

    def __call__(self, *args: Any, **kwargs: Any) -> MsgGenerator[str]:
        """The plan, for ``RE(...)``."""
        refuse_unknown(self._plan.__name__, self.__signature__.parameters, kwargs.keys() - {"supervision"})
        args, kwargs = self._with_edges(args, self._with_roles(args, kwargs))
        given = self._by_name(args, kwargs)
        if self._probe is None and "edge" in given and (note := note_on_grid(given["edge"], given.get("energies"))):
            self._session.notify(note)
        filled = self._filled(kwargs)
        if names_quantities(kwargs.get("target")):
            instruments = self._session.instruments
            allocated_beforehand(self._compile(*args, **filled), instruments.times, instruments.clock_rate)
        plan = self._plan(self._session.instruments, *args, **filled)
        ours = {key: value for key, value in self._session.metadata().items() if key not in (filled.get("md") or {})}
        return bpp.inject_md_wrapper(plan, ours)

    def compile(self, *args: Any, **kwargs: Any) -> CompiledScan:
        """The compiled scan of the plan with these arguments; touches nothing."""
        refuse_unknown(self._plan.__name__, self.__signature__.parameters, kwargs.keys() - {"supervision"})
        args, kwargs = self._with_edges(args, self._with_roles(args, kwargs))
        compiled = self._compile(*args, **self._filled(kwargs))
        self._session.edges.refuse_outside(compiled)
        if self._session.roles is not None:
            refuse_missing_roles(compiled, self._session.roles)
        return compiled

    def function(self) -> Callable[..., MsgGenerator[str]]:
        """The plan as a generator function with attribute `compile`, for IPython's help and the queue server."""

        @functools.wraps(self._plan)
        def plan(*args: Any, **kwargs: Any) -> MsgGenerator[str]:
            return (yield from self(*args, **kwargs))

        bare = [each.replace(annotation=each.empty) for each in self.__signature__.parameters.values()]
        plan.__doc__ = self.__doc__
        plan.__annotations__ = {}  # the queue server would resolve them in its own namespace
        plan.__signature__ = inspect.Signature(bare)  # type: ignore[attr-defined]
        plan.compile = self.compile  # type: ignore[attr-defined]
        return plan

    def _by_name(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        return {**dict(zip(self.__signature__.parameters, args, strict=False)), **kwargs}

    def _with_roles(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Keyword arguments of an energy scan, which has the laser off where there is neither laser nor delay."""
        given, roles = self._by_name(args, kwargs), self._session.roles
        if self._plan not in (energy_scan, continuous_scan) or roles is None or roles.delay or roles.laser_shutter:
            return kwargs
        return {**kwargs, **{name: value for name, value in DARK.items() if given.get(name) is None}}

    def _with_edges(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Arguments with the edges of this session in place of their names, and with the main feature where needed."""
        names = list(self.__signature__.parameters)
        if not (argument := next((each for each in ("edge", "edges") if each in names), "")):
            return args, kwargs
        given = self._by_name(args, kwargs)
        edge = self._session.edges.resolve(given.get(argument, self.__signature__.parameters[argument].default))
        if isinstance(edge, Edge) and self._probe is not None and given.get(self._probe) is None:
            edge = self._session.edges.with_main_feature(edge, self._session.sample)
        place = names.index(argument)
        if place < len(args):
            return (*args[:place], edge, *args[place + 1 :]), kwargs
        return args, {**kwargs, argument: edge}

    def _filled(self, given: dict[str, Any]) -> dict[str, Any]:
        check_metadata(given.get("md") or {})
        filled = {"checks": self._session.checks, "supervision": self._session.supervision, **given}
        if not self._reduces:
            return filled
        root = self._session.data_root
        if given.get("scan_set"):
            filled["scan_set"] = whole_set(root, str(given["scan_set"]))
        if given.get("target") is not None:
            named, session = names_quantities(given["target"]), self._session
            filled.setdefault("judge", session.allocation_rule if named else session.stopping_rule)
        known: dict[str, Any] = {}
        if given.get("background"):
            filled["background"] = background_uid(root, given["background"])
            detectors = self._session.detectors
            first = [next(each for each in detectors.values() if each["kind"] == "counter")] if detectors else []
            known = background_settings(root, filled["background"], *first)
            if len(detectors) > 1:
                of_each = background_of_detectors(root, filled["background"], detectors)
                filled["md"] = {**(given.get("md") or {}), "detectors": of_each}
        filled["settings"] = {**self._session.reduction_settings(), **known, **_checked(given.get("settings"))}
        return filled


def _checked(settings: Any) -> Mapping[str, Any]:
    """Reduction settings of a user, as the reduction will take them.

    Raises
    ------
    ValueError
        Naming the setting that is wrong.
    """
    if settings is None:
        return {}
    if not isinstance(settings, Mapping):
        raise ValueError(f"settings must map names to values, not {settings!r}")
    try:
        Settings.from_mapping({**ANY_WINDOWS, **settings})
    except ValueError as error:
        raise ValueError(f"settings: {error}") from error
    return settings


def _signature(plan: Callable[..., Any], names: Set[str]) -> inspect.Signature:
    """Signature of a plan without `instruments`, and with each of these options as a keyword."""
    own = inspect.signature(plan)
    given = own.parameters.values()
    remaining = [each for each in given if each.name != "instruments" and each.kind != each.VAR_KEYWORD]
    taken = {each.name for each in remaining}
    keyword = inspect.Parameter.KEYWORD_ONLY
    options = [
        inspect.Parameter(name, keyword, default=None) for name in Options.__annotations__ if name in names - taken
    ]
    return own.replace(parameters=[*remaining, *options])
