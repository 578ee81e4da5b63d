"""IPython with the session's names. The prompt appears at once; the session starts in the background."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from rich.console import Console

from beamline.app.starting import Starting
from beamline.config.models import Configuration
from beamline.formatting import printable
from beamline.session.orderly_end import OrderlyEnd
from beamline.session.persistent.about import ask_about
from beamline.session.persistent.state import read_state

if TYPE_CHECKING:
    from IPython.terminal.interactiveshell import TerminalInteractiveShell

Environment = Callable[[], contextlib.AbstractContextManager[Configuration]]

BANNER = """{where}
  %wa                                                               readbacks, setpoints, limits, units
  {move:<66}move
  %ct                                                               count once, store nothing
  RE(energy_scan(edge="Br_K", delay=10_100, passes=1, dwell=0.5))   a scan; energy_scan? explains it
  plans?                                                            all plans, an example each; resume("uid") resumes
  preview(delay_scan, passes=3)                                     points, moves and time, without running it
  session.reducer.spectrum()                                        spectrum of the data so far
  session.about(sample="...")                                       proposal, sample, users: show or change
  %note jet unstable #jet                                           a note in the logbook, at this run and dwell
"""
BANNER_READ_ONLY = """{where}
  %wa                                         readbacks, setpoints, limits, units
  {reading:<44}readings; this session cannot set anything
"""
LEAVING = frozenset({"exit", "quit", "exit()", "quit()"})


def banner(config: Configuration, where: str, *, read_only: bool) -> str:
    """What a user can type, with the names of this beamline."""
    roles = config.station.roles
    moves = [f"{roles.energy} 13.472", *([f"{roles.delay} 10_100"] if roles.delay else [])]
    if read_only:
        reading = ", ".join([f"{roles.energy}.position", *([f"{roles.ring}.current.get()"] if roles.ring else [])])
        return BANNER_READ_ONLY.format(where=where, reading=reading)
    return BANNER.format(where=where, move=f"%mov {' '.join(moves)}")


def run_shell(config: Configuration, environment: Environment, console: Console, *, read_only: bool = False) -> None:
    """Show IPython's prompt, start a session in the background, and close it when IPython exits.

    Parameters
    ----------
    config : Configuration
    environment : callable
        Context manager of what the session needs, for example a simulated beamline; yields its configuration.
    console : rich.console.Console
    read_only : bool
    """
    names: dict[str, Any] = {}
    answers: dict[str, str] = {}
    around = contextlib.ExitStack()
    with OrderlyEnd() as end:
        make = partial(make_session, once(environment, around), names, answers, console, end, read_only=read_only)
        starting = Starting(make, partial(console.print, markup=False))
        if not read_only and sys.stdin.isatty():
            answers.update(prompt_for_entries(config))
        starting.begin()
        try:
            shell = make_shell(config, names, read_only=read_only)
            prepare(shell, starting, console)
            shell.events.register("post_run_cell", lambda result: shell.ask_exit() if end.request else None)
            shell.show_banner()
            shell.mainloop()
        finally:
            console.print(leaving(starting), markup=False, soft_wrap=True)
            starting.close()
            around.close()
        if end.request is not None:  # IPython catches it if a cell was running
            raise end.request


def leaving(starting: Starting) -> str:
    """What is printed when a shell is left."""
    if starting.is_under_way:
        return "Waiting for the session to start, to end it in order ..."
    if getattr(getattr(starting.session, "RE", None), "state", "") == "paused":
        return 'Ending the session; the paused scan ends as aborted, RE(resume("last")) continues it later ...'
    return "Ending the session ..."


def once(environment: Environment, stack: contextlib.ExitStack) -> Callable[[], Configuration]:
    """Enter the environment of a session once, even if its start is retried: a process has only one environment."""
    made: list[Configuration] = []

    def enter() -> Configuration:
        if not made:
            made.append(stack.enter_context(environment()))
        return made[0]

    return enter


def make_session(
    environment: Callable[[], Configuration],
    names: dict[str, Any],
    answers: dict[str, str],
    console: Console,
    end: OrderlyEnd,
    stack: contextlib.ExitStack,
    *,
    read_only: bool,
) -> Any:
    """Start a session, and put its names into the prompt's namespace. Runs in a background thread."""
    began = time.monotonic()
    chosen = environment()
    import bluesky.plan_stubs as bps  # imported late: they read the Channel Access environment
    import bluesky.plans as bp

    from beamline.session.progress import show_progress
    from beamline.session.read_only import ReadOnlySession
    from beamline.session.session import Session, start
    from beamline.station.connect import epics_signals

    logging.getLogger("bluesky").setLevel(logging.CRITICAL)  # logs errors that are shown anyway
    notify = partial(console.print, markup=False)
    session: Session | ReadOnlySession = start(chosen, read_only=read_only, notify=notify)
    stack.callback(_close, session, end)
    if isinstance(session, Session):
        if answers:
            session.about(**answers)
        show_progress(session, console)
    devices = session.beamline.devices()
    session.publish(names)
    names |= {"bp": bp, "bps": bps}
    records = sum(len(epics_signals(device)) for device in devices.values())
    notify(f"Ready after {time.monotonic() - began:.1f} s: {records} signals of {len(devices)} devices,")
    notify(f"  {', '.join(devices)}")
    if isinstance(session, Session):
        notify(about_line(session.RE.md))
    if isinstance(session, ReadOnlySession) and not read_only:
        notify(banner(chosen, f"{chosen.name}: READ ONLY, {session.why}", read_only=True))
    return session


def about_line(metadata: Mapping[str, Any]) -> str:
    """Proposal, sample and users of the next scans, and how to change them."""
    users = ", ".join(metadata.get("users") or ())
    entries = {"proposal": metadata.get("proposal"), "sample": metadata.get("sample"), "users": users}
    said = ", ".join(f"{key} {printable(value)}" if value else f"no {key}" for key, value in entries.items())
    return f'{said}: session.about(sample="...") changes them.'


def _close(session: Any, end: OrderlyEnd) -> None:
    """Close a session in the main thread, although another thread started it."""
    from devices.channel_access import attach_initial_context

    attach_initial_context()
    if end.request is None:
        session.close()
    else:
        session.close(end.request.reason, hurry=True)


def prompt_for_entries(config: Configuration) -> dict[str, str]:
    """Prompt for proposal, sample and users at a terminal; empty if nothing is missing."""
    try:
        state = read_state(config.data.root)
    except (ValueError, OSError):
        state = None  # the session reports it
    try:
        return ask_about(config, state, input)
    except (EOFError, KeyboardInterrupt):
        print()
        return {}


def make_shell(config: Configuration, names: dict[str, Any], *, read_only: bool) -> TerminalInteractiveShell:
    """IPython's shell with this namespace, to which more names may be added."""
    from IPython.terminal.interactiveshell import TerminalInteractiveShell
    from IPython.terminal.prompts import Prompts, Token
    from traitlets.config import Config

    label = "SIM" if config.mode == "sim" else config.name

    class BeamlinePrompts(Prompts):
        """Prompt that shows whether this is the simulation."""

        def in_prompt_tokens(self) -> list[tuple[object, str]]:
            return [(Token.Prompt, f"{label} [{self.shell.execution_count}]: ")]

    where = f"{config.name}: {'SIMULATED' if config.mode == 'sim' else 'REAL'} beamline"
    settings = Config()
    settings.TerminalInteractiveShell.prompts_class = BeamlinePrompts
    settings.TerminalInteractiveShell.confirm_exit = False
    settings.TerminalInteractiveShell.enable_tip = False
    where += ", READ ONLY" if read_only else ""
    settings.TerminalInteractiveShell.banner1 = banner(config, where, read_only=read_only)
    settings.Completer.use_jedi = False  # it would evaluate properties of devices, and so read records
    return TerminalInteractiveShell.instance(user_ns=names, config=settings)


def prepare(shell: Any, starting: Starting, console: Console) -> None:
    """Register the magics and one-line errors with a shell, and make early input wait for the session."""
    from beamline.app.magics import BeamlineMagics, StartMagics, register
    from beamline.app.outcome import show_outcomes

    attached: list[bool] = []

    def before_cell(info: Any) -> None:
        if starting.is_under_way and info.raw_cell.strip() not in LEAVING:
            console.print("Still connecting ... (Ctrl-C to continue without)")
            with contextlib.suppress(KeyboardInterrupt):
                starting.wait()
        if starting.session is not None and not attached:
            from devices.channel_access import attach_initial_context

            attach_initial_context()  # another thread has connected the records
            attached.append(True)

    def show(shell: Any, kind: type[BaseException], error: BaseException, trace: Any, tb_offset: Any = None) -> None:
        one_line(shell, kind, error, trace, tb_offset)
        if isinstance(error, NameError) and getattr(starting.session, "read_only", False):
            print(f"This session is read-only, {starting.session.why}: it has no RE and no plans.")
        elif isinstance(error, NameError) and starting.session is None:
            print("The session is still starting." if starting.is_under_way else "No session: %connect tries again.")

    register(shell, BeamlineMagics(shell, starting.wait, console), StartMagics(shell, starting))
    show_outcomes(shell, lambda: starting.session.config.data.root)
    shell.events.register("pre_run_cell", before_cell)
    shell.set_custom_exc((Exception,), show)


def one_line(shell: Any, kind: type[BaseException], error: BaseException, trace: Any, tb_offset: Any = None) -> None:
    """Show an error on one line; ``%tb`` shows its traceback."""
    if kind.__name__ == "RunEngineInterrupted":
        print("Paused. RE.resume() goes on, RE.stop() ends the run and keeps it, RE.abort() ends it as failed.")
    else:
        print(f"{kind.__name__}: {error}  (%tb shows where)")
