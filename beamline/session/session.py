"""The session: builds the devices, connects them, and wires the RunEngine to journal and live reducer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any

from beamline.config.models import Configuration
from beamline.records.catalogue_writer.process import FillerProcess
from beamline.records.journal import Journal, SealedRun, seal
from beamline.records.provenance import versions
from beamline.session.addresses import off_loopback
from beamline.session.baseline import SlowSettings, with_baseline
from beamline.session.deferred_dispatcher import DeferredDispatcher
from beamline.session.engine import make_engine
from beamline.session.figure_process import LiveFigureProcess, open_live_figure
from beamline.session.guard import Guard, Subscriber
from beamline.session.live_fit import LiveKinetics
from beamline.session.lock import ControlLock
from beamline.session.persistent.about import About
from beamline.session.persistent.numbers import ScanNumbers
from beamline.session.persistent.signals import persist_signals, restore_signals
from beamline.session.persistent.state import StateFile, read_state
from beamline.session.scans.scans import Scans
from beamline.session.shot_recording.session import record_shots
from beamline.station.build import Beamline, build, instruments
from beamline.station.connect import connect, refuse_puts
from beamline.station.limits import set_limits
from beamline.station.put_log import Purpose, PutLog
from beamline.station.record_map import keep_pv_map
from plans.protocols import MoveTimes
from reduction.live.reducer import LiveReducer


class SessionError(Exception):
    """The session cannot start; the message says why and what to do."""


class Session:
    """A beamline that is ready: devices, RunEngine, journal, live reduction. Made by `start`.

    Attributes
    ----------
    config : Configuration
    beamline : Beamline
    RE : bluesky.RunEngine
    journal : Journal
    reducer : LiveReducer
    guard : Guard
        Stands between RunEngine and reducer; `guard.failure` says whether live reduction is off.
    reducing : DeferredDispatcher
        Hands documents to the reducer and to what goes with it, events while the next count is under way.
    kinetics : LiveKinetics
        Fits a delay scan again after each point; `kinetics.latest` is the last fit.
    sealed : list of SealedRun
        Runs that an earlier session left without an end.
    scans : Scans
        The plans, with instruments, checks and reduction numbers of this beamline.
    state_file : StateFile
        What outlives the session: scan numbers, t0, who measures what.
    about : About
        Proposal, sample and users: ``session.about(sample="...")`` changes them.
    """

    read_only = False

    def __init__(
        self, config: Configuration, beamline: Beamline, lock: ControlLock, notify: Callable[[str], None]
    ) -> None:
        self.config = config
        self.beamline = beamline
        self._lock = lock
        root = config.data.root
        self.sealed: list[SealedRun] = list(seal(root, notify))
        self.journal = Journal(root, min_free_bytes=int(config.data.min_free_gb * 1e9))
        code = versions()
        self.reducer = LiveReducer(self._keep_reduced, versions=code)
        self.reduced_listeners: list[Guard] = []
        self.replaying = False
        """True while earlier runs are fed to the reducer again: what it publishes then is in the journal already."""
        self._notify = notify
        self.reducer.warm_up()
        self.guard = Guard(self.reducer, "live reduction", notify)
        self.RE = make_engine()
        self._note_provenance(code)
        self.RE.subscribe(self.journal)
        self.kinetics = LiveKinetics(self.reducer)
        self.shots = record_shots(self, notify)
        shots = [self.shots.guard] if self.shots is not None else []
        self.reducing = DeferredDispatcher(
            self.RE.loop, [self.guard, Guard(self.kinetics, "live kinetics", notify), *shots]
        )
        self.RE.subscribe(self.reducing)
        self.instruments = instruments(beamline, config.clock_rate, MoveTimes(**config.times.model_dump()))
        self.scans = Scans(self, notify)
        self.energy_scan = self.scans.plans["energy_scan"]
        self.RE.preprocessors.append(partial(with_baseline, settings=SlowSettings(beamline.devices())))
        self._filler: FillerProcess | None = None
        self._figure: LiveFigureProcess | None = None

    def _note_provenance(self, code: Mapping[str, str]) -> None:
        """What goes into every start document, and into the log of puts."""
        config, devices, root = self.config, self.beamline.devices(), self.config.data.root
        self.RE.md.update(
            beamline_name=config.name,
            mode=config.mode,
            clock_rate=config.clock_rate,
            cycle=config.cycle,
            versions=code,
            configuration_hash=config.digest(),
            pv_map=keep_pv_map(devices, root),
        )
        self.state_file = StateFile(root, self._notify)
        self.about = About(config, self.state_file, self.RE.md)
        self.RE.scan_id_source = ScanNumbers(self.state_file, root)
        persist_signals(devices, self.state_file)
        purpose = Purpose()
        self.RE.subscribe(purpose)
        self._puts = PutLog(root, devices, purpose.text)

    def _keep_reduced(self, name: str, doc: Mapping[str, Any]) -> None:
        if self.replaying:
            return
        self.journal(name, doc)
        for listener in self.reduced_listeners:
            listener(name, doc)

    def listen_reduced(self, listener: Subscriber, title: str) -> None:
        """Hand reduced documents to one more listener of this process, which may fail without harm."""
        self.reduced_listeners.append(Guard(listener, title, self._notify))

    def names(self) -> dict[str, Any]:
        """The names that IPython, scripts and the queue server get."""
        return {
            "session": self,
            "RE": self.RE,
            **self.scans.names(),
            **self.beamline.devices(),
        }

    def publish(self, namespace: dict[str, Any]) -> None:
        """Put the session's names into a namespace, for example ``globals()``."""
        namespace.update(self.names())

    def start_filler(self) -> None:
        """Start the process that copies the journal into the catalogue."""
        self._filler = FillerProcess(self.config, self._notify)

    def open_figure(self) -> None:
        """Open the live figure, if the configuration asks for it and there is a display."""
        self._figure = open_live_figure(self.config, self._notify)

    def close(self) -> None:
        """Shut the laser shutter, close the journal, end filler and live figure and let go of the records.

        Whatever fails or is cut off with Ctrl-C, all the rest is done, and the lock is released last.
        """
        with ExitStack() as closing:  # the last that is named is done first
            closing.callback(self._lock.release)
            if self._filler is not None:
                closing.callback(self._filler.end, self._notify)
            if self._figure is not None:
                closing.callback(self._figure.close)
            for part in (self.kinetics, self.scans, self._puts, self.journal):
                closing.callback(part.close)
            try:
                if self.RE.state == "paused":
                    self.RE.abort("the session was closed while paused")
            finally:
                if self.beamline.laser.shutter.connected:
                    self.beamline.laser.shutter.set(0).wait(timeout=10)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class ReadOnlySession:
    """A look at a beamline, which another session may control: devices that refuse every set, and no RunEngine."""

    read_only = True

    def __init__(self, config: Configuration, beamline: Beamline, notify: Callable[[str], None]) -> None:
        self.config = config
        self.beamline = beamline
        try:
            state = read_state(config.data.root)
        except (ValueError, OSError) as error:
            notify(f"t0 is not the kept one: the state below {config.data.root} cannot be read ({error})")
        else:
            if state is not None:
                restore_signals(beamline.devices(), state)
        for device in beamline.devices().values():
            refuse_puts(device)

    def names(self) -> dict[str, Any]:
        """The names that IPython gets: the devices, for reading."""
        return {"session": self, **self.beamline.devices()}

    def publish(self, namespace: dict[str, Any]) -> None:
        """Put the session's names into a namespace, for example ``globals()``."""
        namespace.update(self.names())

    def close(self) -> None:
        """Nothing is held; channels stay until the process ends."""

    def __enter__(self) -> ReadOnlySession:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def start(
    config: Configuration,
    *,
    fill_catalogue: bool = True,
    read_only: bool = False,
    notify: Callable[[str], None] = print,
) -> Session | ReadOnlySession:
    """Build, connect and wire a beamline.

    Parameters
    ----------
    config : Configuration
    fill_catalogue : bool
        Start the process that copies the journal into the catalogue.
    read_only : bool
        Only look: nothing is set, no file is made, and the lock stays free for others.
    notify : callable
        Called with messages for the user.

    Returns
    -------
    Session or ReadOnlySession
        The latter if asked for, or where another session controls the beamline; the user is told which.

    Raises
    ------
    SessionError
        If a simulated session could reach addresses off this machine.
    beamline.station.connect.NotConnectedError
        Naming every record that did not answer.
    beamline.config.models.ConfigurationError
        If soft limits lie outside those of the records.
    """
    if config.mode == "sim" and (why := off_loopback()):
        raise SessionError(why)
    beamline = build(config)
    connect(beamline.devices(), config.connect_timeout)
    set_limits(config, beamline.devices())
    if read_only:
        return ReadOnlySession(config, beamline, notify)
    lock = ControlLock(config.data.root)
    if not lock.held:
        notify(f"READ ONLY: {config.name} is controlled by {lock.holder()}. End that session to take over.")
        return ReadOnlySession(config, beamline, notify)
    session = Session(config, beamline, lock, notify)
    for run in session.sealed:
        notify(f"An earlier run was cut off and is closed as interrupted: {run}")
    if beamline.laser.shutter.status.get():
        notify("The laser shutter is open. Shut it with: RE(bps.mv(laser.shutter, 0))")
    if fill_catalogue:
        session.start_filler()
    session.open_figure()
    return session
