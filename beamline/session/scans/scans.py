"""The scans of a session: bound plans, stopping rule, suspenders, previews, and resuming."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from bluesky import RunEngine
from bluesky.utils import MsgGenerator

from beamline.config.devices import Roles
from beamline.config.models import Configuration
from beamline.config.reduction_settings import reduction_settings
from beamline.session.commissioning.beam_time import print_expected
from beamline.session.commissioning.commissioning import Commissioning
from beamline.session.commissioning.known import KnownFindings
from beamline.session.deferred_dispatcher import DeferredDispatcher
from beamline.session.explain import overview
from beamline.session.guard import Guard, Subscriber
from beamline.session.persistent.places import Places
from beamline.session.persistent.state import StateFile
from beamline.session.scans.allocation_rule import AllocationRule
from beamline.session.scans.bind import PLANS, BoundPlan
from beamline.session.scans.edges import EdgeBook
from beamline.session.scans.overhead import DwellOverhead
from beamline.session.scans.preview import preview
from beamline.session.scans.reopening import Reopening
from beamline.session.scans.resume import remaining, replay_into
from beamline.session.scans.stopping_rule import PredictedErrorRule
from beamline.session.scans.suspenders import Hold, SuspensionLog, all_free, install
from beamline.session.scans.typed import as_typed
from beamline.station.beamline import Beamline
from beamline.station.roles import AXES
from beamline.station.watch import make_watch, tolerances
from devices.base.server_watch import ServerWatch
from devices.instruments.xray_shutter import XrayShutter
from plans.compilation.estimate import Duration
from plans.compilation.options import Options
from plans.compilation.positions import Position
from plans.compilation.quality import Check
from plans.execution.run_scan import measure
from plans.protocols import Instruments, Supervision, TrustingGuard
from reduction.live.reducer import LiveReducer


class RunningSession(Protocol):
    """The part of a session that the scans use."""

    RE: RunEngine
    config: Configuration
    beamline: Beamline
    instruments: Instruments
    reducer: LiveReducer
    guard: Guard
    reducing: DeferredDispatcher
    replaying: bool
    detectors: dict[str, dict[str, Any]]
    state_file: StateFile

    @property
    def about(self) -> Callable[..., Any]: ...

    def listen_reduced(self, listener: Subscriber, title: str) -> None: ...


class Scans:
    """The plans of a session, with their checks, stopping rule and suspenders.

    Parameters
    ----------
    session : RunningSession
    notify : callable
        Called with messages for the user.

    Attributes
    ----------
    plans : dict
        Name to `BoundPlan`.
    checks : tuple of Check
        Checks of each dwell.
    stopping_rule, allocation_rule : StoppingRule
        Of plans with a target, a number or quantities.
    suspension_log : SuspensionLog
        Suspensions so far.
    """

    def __init__(self, session: RunningSession, notify: Callable[[str], None]) -> None:
        self._session = session
        self._notify = notify
        config = session.config
        self.checks = tuple(Check(**entry.model_dump()) for entry in config.checks)
        self.stopping_rule = PredictedErrorRule(self._is_reduced, notify)
        session.RE.subscribe(self.stopping_rule.begin, "start")
        session.listen_reduced(self.stopping_rule.take, "the stopping rule")
        self.allocation_rule = AllocationRule.listening(session, self._is_reduced, notify)
        self._overhead = DwellOverhead(config.clock_rate, config.times.laser_shutter)
        session.RE.subscribe(Guard(self._overhead, "the overhead of a dwell", notify))
        self.suspension_log = SuspensionLog(notify, config.data.root)
        devices = session.beamline.devices()
        self._hold = Hold()
        self.suspenders = install(
            session.RE, devices, config.suspenders, self.suspension_log, config.clock_rate, self._hold
        )
        shutter, report = session.beamline.find("xray_shutter"), self.suspension_log.report
        self._reopening = Reopening(shutter, report) if isinstance(shutter, XrayShutter) else None
        self._watch = make_watch(session.beamline, config.watch, self.suspension_log.report)
        self.servers = ServerWatch(devices.values(), self.suspension_log, self.suspension_log.report)
        self.plans: dict[str, BoundPlan] = {name: BoundPlan(name, self) for name in PLANS}
        known = KnownFindings(session.state_file, config.commissioning.oldest, notify)
        session.RE.subscribe(Guard(known, "the list of findings", notify))
        self.commissioning = Commissioning(self, known)
        self.places = Places(session.beamline, session.state_file)
        self.about = session.about

    def names(self) -> dict[str, Any]:
        """The names that IPython, scripts and the queue server get."""
        own: dict[str, Callable[..., Any]] = {"resume": self.resume, "preview": self.preview, "goto": self.places.goto}
        functions = {**self.functions(), **own}
        return {**functions, "findings": self.commissioning.findings, "plans": overview(functions)}

    def functions(self) -> dict[str, Callable[..., Any]]:
        """The plans by name."""
        plans = {name: plan.function() for name, plan in self.plans.items()}
        return {**plans, **self.commissioning.functions()}

    def _is_reduced(self) -> bool:
        """Reduce pending dwells; False if the live reduction has failed."""
        self._session.reducing.catch_up()
        return self._session.guard.failure is None

    @contextmanager
    def not_held_up(self) -> Iterator[None]:
        """Meanwhile no reading holds a plan up: for a single move or count, which may look for what is wrong."""
        self._hold.off_duty = True
        try:
            yield
        finally:
            self._hold.off_duty = False

    def outside(self) -> list[str]:
        """Why a scan would wait now."""
        return [each.outside for each in self.suspenders if each.outside]

    def close(self) -> None:
        """Unsubscribe."""
        for suspender in self.suspenders:
            suspender.remove()
        if self._reopening is not None:
            self._reopening.close()
        self.servers.close()
        self.suspension_log.close()

    @property
    def instruments(self) -> Instruments:
        """Devices that plans move and read."""
        given = self._session.instruments
        return replace(given, times=self._overhead.applied(given.times))

    @property
    def config(self) -> Configuration:
        """Of the session."""
        return self._session.config

    @property
    def beamline(self) -> Beamline:
        """Devices of the session."""
        return self._session.beamline

    @property
    def supervision(self) -> Supervision:
        """Suspenders, retries and the log of waits, as the configuration has them."""
        config = self._session.config
        return Supervision(
            ready=partial(all_free, self.suspenders),
            restore_xrays=self._reopening.open_again if self._reopening and config.xray_shutter.reopen else None,
            xray_shutter=self._reopening or TrustingGuard(),
            watch=self._watch,
            servers=self.servers,
            tolerances=tolerances(config.watch),
            wait_observer=self.suspension_log,
            shutter_tries=config.laser_shutter.tries,
            shutter_retry_interval=config.laser_shutter.wait,
        )

    @property
    def data_root(self) -> Path:
        """Data root of the journal."""
        return self._session.config.data.root

    @property
    def edges(self) -> EdgeBook:
        """Edges of the configuration and of the proposal."""
        config = self._session.config
        return EdgeBook(config.data.root, config.edges, config.energy_limits)

    @property
    def sample(self) -> str:
        """The present sample."""
        return str(self._session.RE.md.get("sample", ""))

    @property
    def roles(self) -> Roles:
        """Which devices play which roles."""
        return self._session.beamline.roles

    def notify(self, text: str) -> None:
        """Report to the user."""
        self._notify(text)

    def reduction_settings(self) -> dict[str, Any]:
        """Parameters of this beamline for the reduction."""
        return reduction_settings(self._session.config.reduction)

    @property
    def detectors(self) -> Mapping[str, Mapping[str, Any]]:
        """Entry ``detectors`` of start documents; empty for the one counter that is meant without it."""
        return self._session.detectors

    def metadata(self) -> dict[str, Any]:
        """Start-document entries in addition to those of the RunEngine; those of a plan come first."""
        t0 = getattr(self._session.beamline.find("delay"), "t0", None)
        of_detectors = {"detectors": self.detectors} if self.detectors else {}
        findings = self.commissioning.known.entries()
        of_findings: dict[str, Any] = {"findings": findings} if findings else {}
        return of_detectors | of_findings | ({"t0": float(t0.get())} if t0 is not None else {})

    def resume(self, scan_set: str, *, edge: str | None = None) -> MsgGenerator[str]:
        """Resume a measurement that was stopped, aborted or interrupted, today or on another day.

        The remaining points follow from the journal; grid and settings are those of the original start documents.
        Earlier data are summed with the new ones.

        Examples
        --------
        >>> RE(resume("3f9c"))

        Parameters
        ----------
        scan_set : str
            Uid of the set, of the series or of one of its runs; a beginning of it is enough, ``last`` is the newest.
        edge : str, optional
            Refuse unless this edge was measured.

        Returns
        -------
        str
            The ``scan_set`` or ``series``.

        Raises
        ------
        beamline.session.scans.resume.ResumeError
            Before anything moves: unknown, of another sample or edge, still running, or complete.
        """
        entries = {key: value for key, value in self.metadata().items() if key != "detectors"}  # as they were
        compiled_scan = remaining(self.data_root, scan_set, self.sample, edge).with_entries(**entries)
        replay_into(self._session, self.data_root, compiled_scan.uid, self._notify)
        reference = compiled_scan.passes[0].start.get("reference", "")
        options: Options = {
            "checks": self.checks,
            "judge": self.allocation_rule if compiled_scan.allocates else self.stopping_rule,
            "supervision": self.supervision,
            "reference": reference,
        }
        return (yield from measure(self.instruments, compiled_scan, options))

    def preview(self, plan: Callable[..., Any], *args: Any, png: str | Path | None = None, **kwargs: Any) -> Duration:
        """Print passes, points, moves and time of a plan, and draw its grid; touches nothing.

        Examples
        --------
        >>> preview(energy_scan, edge="Br_K", delay=10_100, passes=2)

        Parameters
        ----------
        plan : callable
            ``energy_scan`` and its arguments, or ``energy_scan(...)``. Of a finding, the typical beam time is printed.
        png : path, optional
            Also draw the grid to this file.

        Returns
        -------
        Duration
            Beamline seconds by category.
        """
        plan, args, kwargs = as_typed({**self.plans, **self.commissioning.functions()}, plan, args, kwargs)
        if (duration := print_expected(plan, {**dict(zip(("apply",), args, strict=False)), **kwargs})) is not None:
            return duration
        beamline, config, times = self._session.beamline, self._session.config, self.instruments.times
        axes = [beamline.find(role) for role in AXES]
        position = Position(0, *(float(axis.position) if axis is not None else None for axis in axes))
        label = "SIMULATED" if config.mode == "sim" else config.name
        return preview(
            plan, *args, times=times, clock_rate=config.clock_rate, label=label, png=png, start=position, **kwargs
        )
