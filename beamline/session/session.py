"""The session: builds the devices, connects them, and wires the RunEngine to journal and live reducer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from contextlib import closing as closed_after
from functools import partial
from typing import TYPE_CHECKING, Any

from bluesky import RunEngine

from beamline.config.models import Configuration
from beamline.config.secrets import SecretError
from beamline.records.catalogue_writer.process import WriterProcess
from beamline.records.journal import Journal, JournalError, SealedRun, seal
from beamline.records.provenance import versions
from beamline.records.runs.arrays import dataset
from beamline.records.runs.journal_runs import JournalRuns
from beamline.records.runs.run_index import RunIndex
from beamline.session.addresses import off_loopback
from beamline.session.baseline import SlowSettings, with_baseline
from beamline.session.checked_metadata import MetadataEngine
from beamline.session.control import SoleControl, checked_first
from beamline.session.deferred_dispatcher import DeferredDispatcher
from beamline.session.explain import for_the_queue
from beamline.session.figure_process import open_live_figure
from beamline.session.guard import Guard, Subscriber
from beamline.session.interrupts import PauseOnInterrupt
from beamline.session.live_fit import LiveKinetics
from beamline.session.nights.row_plan import RowPlans
from beamline.session.notes import note_for
from beamline.session.notify_process import start_notifier
from beamline.session.orderly_end import EndRequest, end_plan
from beamline.session.persistent.about import About
from beamline.session.persistent.numbers import ScanNumbers
from beamline.session.persistent.signals import persist_signals
from beamline.session.persistent.state import StateFile
from beamline.session.read_only import ReadOnlySession
from beamline.session.scans.scans import Scans
from beamline.session.shot_recording.session import record_shots
from beamline.session.shutter import LaserShutterAtTheEnd, report_open_shutter
from beamline.session.start_metadata import provenance
from beamline.session.status_file import StatusThread, status_of
from beamline.station.beamline import Beamline
from beamline.station.build import build, instruments_of
from beamline.station.connect import connect, disconnect
from beamline.station.detectors import detector_entries
from beamline.station.limits import set_limits
from beamline.station.put_log import Purpose, SessionPutLog
from reduction.live.reducer import LiveReducer

if TYPE_CHECKING:
    import xarray as xr


class SessionError(Exception):
    """The session cannot start; the message has the reason and the way out."""


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
        Stands between RunEngine and reducer; `guard.failure` has the error that stopped live reduction.
    reducing : DeferredDispatcher
        Passes documents to the reducer and the subscribers beside it; events while the next count is running.
    kinetics : LiveKinetics
        Fits a delay scan again after each point; `kinetics.latest` is the last fit.
    sealed : list of SealedRun
        Runs of an earlier session that lacked a stop document.
    scans : Scans
        The plans, with instruments, checks and reduction numbers of this beamline.
    state_file : StateFile
        Scan numbers, t0, proposal, sample and users, which persist between sessions.
    about : About
        Proposal, sample and users: ``session.about(sample="...")`` changes them.
    """

    read_only = False
    closed = False

    def __init__(
        self, config: Configuration, beamline: Beamline, control: SoleControl, notify: Callable[[str], None]
    ) -> None:
        self.config, self.beamline = config, beamline
        self._catalogue_writer: WriterProcess | None = None
        with ExitStack() as closing:  # a failure closes what was opened before it
            closing.callback(control.release)
            control.sign(notify)
            self._wire(control, notify, closing)
            self._closing = closing.pop_all()

    def _wire(self, control: SoleControl, notify: Callable[[str], None], closing: ExitStack) -> None:
        config, beamline = self.config, self.beamline
        root = config.data.root
        index = RunIndex(root)
        self.sealed: list[SealedRun] = seal(root, notify, index.unstopped(), index.odd_paths())
        self.journal = Journal(root, min_free_bytes=int(config.data.min_free_gb * 1e9))
        closing.callback(self.journal.close)
        code = versions()
        self.reducer = LiveReducer(self._store_reduced, versions=code)
        self.reduced_listeners: list[Guard] = []
        self.replaying = False
        """True while earlier runs are replayed through the reducer, whose results are in the journal already."""
        self._notify = notify
        self.reducer.warm_up()
        self.guard = Guard(self.reducer, "live reduction", notify)
        self.detectors = detector_entries(config.detectors, beamline)
        self.RE: RunEngine = closing.enter_context(closed_after(MetadataEngine(provenance(config, beamline, code))))
        self._set_up_records(closing)
        self.RE.subscribe(self._store)
        self.RE.subscribe(lambda name, doc: self._assert_control(control), "start")
        self.kinetics = closing.enter_context(closed_after(LiveKinetics(self.reducer)))
        self.shots = record_shots(self, notify)
        shots = [self.shots.guard] if self.shots is not None else []
        beside = [self.guard, Guard(self.kinetics, "live kinetics", notify), *shots]
        self.reducing = DeferredDispatcher(self.RE.loop, beside)
        self.RE.subscribe(self.reducing)
        self.instruments = instruments_of(config, beamline)
        self.scans = Scans(self, notify)
        closing.callback(self.scans.close)
        closing.callback(StatusThread(root, partial(status_of, self.RE, self.scans, beamline)).close)
        self.energy_scan = self.scans.plans["energy_scan"]
        baseline = partial(with_baseline, settings=SlowSettings(beamline.devices()), servers=self.scans.servers)
        self.RE.preprocessors.extend([baseline, partial(checked_first, partial(self._assert_control, control))])

    def _assert_control(self, control: SoleControl) -> None:
        """Refuse a plan if another session has taken control, before anything moves; restore removed lock files."""
        for path in control.restore():
            self._notify(f"The lock {path} was removed or replaced; it is locked again; this session kept control.")

    def _set_up_records(self, closing: ExitStack) -> None:
        """Set up the variable metadata of start documents, the persistent signals and the put log."""
        config, devices, root = self.config, self.beamline.devices(), self.config.data.root
        self.state_file = StateFile(root, self._notify)
        self.about = About(config, self.state_file, self.RE.md)
        self.RE.scan_id_source = ScanNumbers(self.state_file, root)
        persist_signals(devices, self.state_file)
        purpose = Purpose()
        self.RE.subscribe(purpose)
        closing.callback(SessionPutLog(root, devices, purpose.text).close)

    def _store(self, name: str, doc: Mapping[str, Any]) -> None:
        """The journal comes first, and may raise; a run whose end cannot be stored still ends its reduced run."""
        try:
            self.journal(name, doc)
        except JournalError:
            if name == "stop":
                self.reducing(name, doc)
            raise

    def _store_reduced(self, name: str, doc: Mapping[str, Any]) -> None:
        if not self.replaying:
            self.journal(name, doc)
            for listener in self.reduced_listeners:
                listener(name, doc)

    def listen_reduced(self, listener: Subscriber, title: str) -> None:
        """Subscribe a listener to reduced documents; its failure does not affect the acquisition."""
        self.reduced_listeners.append(Guard(listener, title, self._notify))

    def result(self, name: str = "last", *, edge_step: bool = False) -> xr.Dataset:
        """A result of this data root, see `beamline.records.runs.arrays.dataset`; by default of the newest scan."""
        self.reducing.catch_up()
        return dataset(JournalRuns(self.config.data.root), name, edge_step=edge_step)

    def names(self) -> dict[str, Any]:
        """Names for the namespace of IPython, scripts and the queue server."""
        own = {"session": self, "RE": self.RE, "note": note_for(self.config.data.root)}
        own["night_row"] = for_the_queue(RowPlans(self.scans).night_row)
        return {**own, **self.scans.names(), **self.beamline.devices()}

    def publish(self, namespace: dict[str, Any]) -> None:
        """Put the session's names into a namespace, for example ``globals()``."""
        namespace.update(self.names())

    def end_with_interrupt(self) -> None:
        """Do not pause at Ctrl-C: on the command line nobody could resume the plan."""
        self.RE.context_managers = [each for each in self.RE.context_managers if each is not PauseOnInterrupt]

    def start_catalogue_writer(self) -> None:
        """Start the process that copies the journal to the catalogue; without its key only the journal is written."""
        try:
            self._catalogue_writer = WriterProcess(self.config, self._notify)
        except SecretError as error:
            self._notify(f"The catalogue is not written, the journal is: {error}")

    def open_figure(self) -> None:
        """Open the live figure, if the configuration asks for it and there is a display."""
        if (figure := open_live_figure(self.config, self._notify)) is not None:
            self._closing.callback(figure.close)

    def close(self, why: str = "", *, hurry: bool = False) -> None:
        """Shut the laser shutter, end a plan, close the journal, end writer and live figure, release the lock.

        The shutter is commanded first, since the other steps may wait for a disk. If a step fails or is interrupted by
        Ctrl-C, the remaining ones still run; the lock is released at the end, and last the channels are closed.

        Parameters
        ----------
        why : str
            Reason in the stop document of an open run.
        hurry : bool
            Do not wait for the catalogue; the next session stores what is missing.
        """
        if self.closed:
            return
        self.closed = True
        shutter = LaserShutterAtTheEnd(self.beamline)
        shutter.shut_at_once()
        with ExitStack() as last, self._closing as closing:  # callbacks run in reverse order
            if self._catalogue_writer is not None:
                closing.callback(self._catalogue_writer.end, self._notify, hurry=hurry)
            closing.callback(shutter.wait_until_shut)
            if end_plan(self.RE, why or f"the session was closed while the plan was {self.RE.state}"):
                last.callback(disconnect, self.beamline.devices())  # a plan that hangs may wake up, and use them
            else:
                self._notify("The plan does not end: the disk may hang. Its run is closed at the next start.")

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if isinstance(error, EndRequest):
            self.close(error.reason, hurry=True)
        else:
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
        Set nothing, create no file and take no lock.
    notify : callable
        Called with messages for the user.

    Returns
    -------
    Session or ReadOnlySession
        The latter if requested, or if another session controls the beamline; `notify` reports the reason.

    Raises
    ------
    SessionError
        If a simulated session could reach addresses off this machine.
    beamline.station.connect.NotConnectedError
        Naming every record that did not connect.
    beamline.config.models.ConfigurationError
        If soft limits lie outside those of the records.
    """
    if config.mode == "sim" and (why := off_loopback()):
        raise SessionError(why)
    beamline = build(config)
    with ExitStack() as failing:
        failing.callback(disconnect, beamline.devices())
        connect(beamline.devices(), config.connect_timeout)
        set_limits(config, beamline.devices())
        control = None if read_only else SoleControl(config, beamline.find("controller"))
        if control is None or control.refusal:
            viewer = ReadOnlySession(config, beamline, notify, control.refusal if control is not None else "")
            failing.pop_all()
            return viewer
        session = Session(config, beamline, control, notify)
        failing.callback(session.close)
        _begin(session, fill_catalogue, notify)
        failing.pop_all()
    return session


def _begin(session: Session, fill_catalogue: bool, notify: Callable[[str], None]) -> None:
    """Report interrupted runs and an open shutter, and start the processes of the session."""
    for run in session.sealed:
        notify(f"An earlier run was cut off and is closed as interrupted: {run}")
    report_open_shutter(session.beamline, notify)
    if fill_catalogue:
        session.start_catalogue_writer()
    session.open_figure()
    start_notifier(session.config, notify)
