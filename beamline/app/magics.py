"""IPython magics of a beamline: %wa, %mov, %ct, %save, %goto, %note, %connect.

Those of bluesky print no units, evaluate their arguments as Python, abort a paused plan, and create a RunEngine of
their own at import; these use the session's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from IPython.core.error import TryNext, UsageError
from IPython.core.magic import Magics, line_magic, magics_class
from rich.console import Console

from beamline.app.outcome import show_outcomes
from beamline.app.starting import Starting

NO_SESSION = "there is no session; in a shell %connect retries, elsewhere create one by session = beamline.start(...)"
STATES = {"open": 1, "shut": 0, "closed": 0}


@magics_class
class BeamlineMagics(Magics):  # type: ignore[misc]
    """Magics for a session, with errors on one line.

    Parameters
    ----------
    shell : InteractiveShell
    find_session : callable
        Returns the session, or None.
    console : rich.console.Console
    """

    def __init__(self, shell: Any, find_session: Callable[[], Any], console: Console) -> None:
        super().__init__(shell)
        self._find_session, self._console = find_session, console

    @line_magic
    def wa(self, line: str) -> None:
        """Print readback, setpoint, limits and unit of everything that can be moved or set, and its problems.

        %wa              everything, in groups
        %wa laser        one group: X-rays, laser, sample, detectors
        %wa mono stage   some devices
        """
        from beamline.app.where import GROUPS, problems_of, statuses, where_table

        beamline = self._session().beamline
        try:
            found = statuses(beamline, line.split())
        except LookupError as error:
            raise UsageError(f"{error.args[0]}; groups are {', '.join(GROUPS)}") from None
        table, troubles = where_table(found)
        self._console.print(table)
        for sentence in (*troubles, *problems_of(beamline, found)):
            self._console.print(sentence, markup=False)

    @line_magic
    def mov(self, line: str) -> None:
        """Move devices together, then print their readbacks: %mov mono 13.472 laser_delay 10_100 laser.shutter open

        Values in the units of %wa. All values are checked before anything moves.
        """
        import bluesky.plan_stubs as bps

        from beamline.app.where import statuses, where_table

        session = self._controlling()
        targets = parse_moves(session.beamline.devices(), line)
        for device, value in targets.values():
            if hasattr(device, "check_value"):
                device.check_value(value)
        with session.scans.not_held_up():
            session.RE(bps.mv(*(item for target in targets.values() for item in target)))
        self._console.print(where_table(statuses(session.beamline, targets))[0])

    @line_magic
    def ct(self, line: str) -> None:
        """Count once with all detectors and print the results; stores nothing: %ct, or %ct 5 for 5 s."""
        from beamline.app.count import conditions, count, count_table

        session = self._controlling()
        seconds = _number(line.strip() or "1", "%ct takes beamline seconds")
        if not seconds > 0:
            raise UsageError(f"%ct takes beamline seconds above 0, not {line.strip()}")
        with session.scans.not_held_up():
            done = session.RE(count(session.instruments.counters, seconds, session.config.clock_rate))
        for reason in session.scans.outside():
            self._console.print(f"A scan would wait now: {reason}", markup=False)
        self._console.print(", ".join([f"{seconds:g} s", *conditions(session.beamline)]))
        timing = session.beamline.find("timing")
        divider = 1 if timing is None else int(timing.laser_divider.get())
        self._console.print(count_table(done.plan_result, session.beamline.roles, divider))

    @line_magic
    def note(self, line: str) -> None:
        """Write a note into the logbook, about the run that is being measured: %note jet unstable #jet"""
        from beamline.records.journal import JournalError
        from beamline.records.logbook import LogbookError
        from beamline.session.notes import write_note

        try:
            note = write_note(self._session().config.data.root, line)
        except (LogbookError, JournalError) as error:
            raise UsageError(str(error)) from None
        self._console.print(str(note), markup=False)

    @line_magic
    def save(self, line: str) -> None:
        """Save where the axes of the sample are under a name: %save spot1

        %save spot1 stage.across mono   other axes
        %save                           what is saved
        """
        from beamline.session.persistent.places import PlaceError

        places, (name, *axes) = self._session().scans.places, line.split() or [""]
        try:
            for text in [str(places.save(name, axes))] if name else places.lines() or ["nothing is saved yet"]:
                self._console.print(text, markup=False)
        except PlaceError as error:
            raise UsageError(str(error)) from None

    @line_magic
    def goto(self, line: str) -> None:
        """Move to a saved place: %goto spot1, or %goto spot1@1 for where it was before it was saved again."""
        from beamline.app.where import statuses, where_table
        from beamline.session.persistent.places import PlaceError, find_place

        session = self._controlling()
        try:
            place = find_place(session.scans.places.saved(), line)
        except PlaceError as error:
            raise UsageError(str(error)) from None
        with session.scans.not_held_up():
            session.RE(session.scans.places.move(place))
        self._console.print(where_table(statuses(session.beamline, place.saved.positions))[0])

    def _session(self) -> Any:
        """The session."""
        session = self._find_session()
        if session is None:
            raise UsageError(NO_SESSION)
        return session

    def _controlling(self) -> Any:
        """The session, if it may move devices now."""
        session = self._session()
        if session.read_only:
            raise UsageError(f"this session is read-only, {session.why}: nothing can be set from here")
        if session.RE.state != "idle":
            raise UsageError(f"a plan is {session.RE.state}: RE.resume(), RE.stop() or RE.abort() first")
        return session


@magics_class
class StartMagics(Magics):  # type: ignore[misc]
    """Magic of a shell whose session starts in the background.

    Parameters
    ----------
    shell : InteractiveShell
    starting : Starting
        Starts the session.
    """

    def __init__(self, shell: Any, starting: Starting) -> None:
        super().__init__(shell)
        self._starting = starting

    @line_magic
    def connect(self, line: str) -> None:
        """Retry to connect after a failure."""
        self._starting.begin()
        if self._starting.wait() is None:
            raise UsageError(NO_SESSION)


def complete_names(shell: Any, event: Any) -> list[str]:
    """Tab completions of ``%wa`` and ``%mov``: device names, and for ``%wa`` also the groups."""
    if "session" not in shell.user_ns:
        raise TryNext
    from beamline.app.where import GROUPS, groups

    names = [name for group in groups(shell.user_ns["session"].beamline).values() for name in group]
    return [*names, *GROUPS] if event.command.endswith("wa") else names


def register(shell: Any, *parts: Magics) -> None:
    """Register magics with IPython, and their tab completion."""
    shell.register_magics(*parts)
    for word in ("%wa", "%mov"):
        shell.set_hook("complete_command", complete_names, str_key=word)


def register_magics(shell: Any) -> None:
    """Register the magics for the variable ``session`` of a notebook or other IPython, and print results on one line.

    If the session exists already, the progress of its passes is shown, too.
    """
    from beamline.session.progress import show_progress

    def find_session() -> Any:
        found = shell.user_ns.get("session")
        return found if hasattr(found, "beamline") else None

    console = Console(highlight=False)
    register(shell, BeamlineMagics(shell, find_session, console))
    if (session := find_session()) is not None and not session.read_only:
        show_progress(session, console)
    show_outcomes(shell, lambda: found.config.data.root if (found := find_session()) is not None else None)


def parse_moves(devices: dict[str, Any], line: str) -> dict[str, tuple[Any, float]]:
    """Device and value of each pair of arguments.

    Raises
    ------
    UsageError
        Naming the wrong argument.
    """
    from beamline.station.components import find_component

    parts = line.split()
    if not parts or len(parts) % 2:
        raise UsageError("%mov takes pairs of device and value: %mov mono 13.472 laser_delay 10_100")
    found: dict[str, tuple[Any, float]] = {}
    for name, text in zip(parts[::2], parts[1::2], strict=True):
        try:
            device = find_component(devices, name)
        except LookupError as error:
            raise UsageError(str(error.args[0])) from None
        if not hasattr(device, "set"):
            raise UsageError(f"{name} cannot be set; name one of its parts: {', '.join(device.component_names)}")
        if name in found:
            raise UsageError(f"{name} is given twice")
        found[name] = device, STATES[text] if text in STATES else _number(text, f"{name} takes a number")
    return found


def _number(text: str, what: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{what}, not {text}") from None
