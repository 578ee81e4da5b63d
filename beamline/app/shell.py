"""IPython with the session's names. The prompt is there at once; the session starts behind it."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from rich.console import Console

from beamline.app.starting import Starting
from beamline.config.models import Configuration
from beamline.session.persistent.about import ask_about
from beamline.session.persistent.state import read_state

if TYPE_CHECKING:
    from IPython.terminal.interactiveshell import TerminalInteractiveShell

Environment = Callable[[], contextlib.AbstractContextManager[Configuration]]

BANNER = """{where}
  %wa                                                               where all is, with limits and units
  %mov mono 13.472 laser_delay 10_100                               move
  %ct                                                               count once, keep nothing
  RE(energy_scan(edge="Br_K", delay=10_100, passes=1, dwell=0.5))   a scan; energy_scan? explains it
  plans?                                                            all plans, an example each; resume("uid") goes on
  preview(delay_scan, passes=3)                                     what it would do and how long, touching nothing
  session.reducer.spectrum()                                        what has been reduced so far
  session.about(sample="...")                                       proposal, sample, users: see or change them
"""
BANNER_READ_ONLY = """{where}
  %wa                                         where all is, with limits and units
  mono.position, ring.current.get()           readings; nothing can be set from here
"""
LEAVING = frozenset({"exit", "quit", "exit()", "quit()"})


def run_shell(config: Configuration, environment: Environment, console: Console, *, read_only: bool = False) -> None:
    """Show IPython's prompt, start a session behind it, and close it when IPython ends.

    Parameters
    ----------
    config : Configuration
    environment : callable
        Gives what the session needs around it, for example a simulated beamline, and its configuration.
    console : rich.console.Console
    read_only : bool
    """
    names: dict[str, Any] = {}
    answers: dict[str, str] = {}
    around = contextlib.ExitStack()
    make = partial(make_session, once(environment, around), names, answers, console, read_only=read_only)
    starting = Starting(make, partial(console.print, markup=False))
    if not read_only and sys.stdin.isatty():
        answers.update(prompt_for_entries(config))
    starting.begin()
    try:
        shell = make_shell(config, names, read_only=read_only)
        prepare(shell, starting, console)
        shell.show_banner()
        shell.mainloop()
    finally:
        under_way = "Waiting for the session to start, to end it in order ..."
        console.print(under_way if starting.is_under_way else "Ending the session ...")
        starting.close()
        around.close()


def once(environment: Environment, stack: contextlib.ExitStack) -> Callable[[], Configuration]:
    """What stands around a session is made once, however often that is tried: a process has one environment."""
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
    stack: contextlib.ExitStack,
    *,
    read_only: bool,
) -> Any:
    """Start a session, and put its names where the prompt finds them. Runs in a thread of its own."""
    began = time.monotonic()
    chosen = environment()
    import bluesky.plan_stubs as bps  # these read the Channel Access environment, which is there only now
    import bluesky.plans as bp

    from beamline.session.progress import show_progress
    from beamline.session.session import ReadOnlySession, Session, start
    from beamline.station.connect import epics_signals

    logging.getLogger("bluesky").setLevel(logging.CRITICAL)  # it logs each error that is shown anyway
    notify = partial(console.print, markup=False)
    session: Session | ReadOnlySession = start(chosen, read_only=read_only, notify=notify)
    stack.callback(session.close)
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
    return session


def prompt_for_entries(config: Configuration) -> dict[str, str]:
    """What somebody at the terminal answers; nothing where nothing has to be asked."""
    try:
        state = read_state(config.data.root)
    except (ValueError, OSError):
        state = None  # the session tells
    try:
        return ask_about(config, state, input)
    except (EOFError, KeyboardInterrupt):
        print()
        return {}


def make_shell(config: Configuration, names: dict[str, Any], *, read_only: bool) -> TerminalInteractiveShell:
    """IPython's shell over these names, which may still grow."""
    from IPython.terminal.interactiveshell import TerminalInteractiveShell
    from IPython.terminal.prompts import Prompts, Token
    from traitlets.config import Config

    label = "SIM" if config.mode == "sim" else config.name

    class BeamlinePrompts(Prompts):
        """Says in every prompt whether this is the simulation."""

        def in_prompt_tokens(self) -> list[tuple[object, str]]:
            return [(Token.Prompt, f"{label} [{self.shell.execution_count}]: ")]

    where = f"{config.name}: {'SIMULATED' if config.mode == 'sim' else 'REAL'} beamline"
    settings = Config()
    settings.TerminalInteractiveShell.prompts_class = BeamlinePrompts
    settings.TerminalInteractiveShell.confirm_exit = False
    settings.TerminalInteractiveShell.enable_tip = False
    banner = BANNER_READ_ONLY.format(where=f"{where}, READ ONLY") if read_only else BANNER.format(where=where)
    settings.TerminalInteractiveShell.banner1 = banner
    settings.Completer.use_jedi = False  # it would ask properties of devices, and so records
    return TerminalInteractiveShell.instance(user_ns=names, config=settings)


def prepare(shell: Any, starting: Starting, console: Console) -> None:
    """Give a shell the short words, errors on one line, and the wait of lines that come too early."""
    from beamline.app.magics import BeamlineMagics, StartMagics, register
    from beamline.app.outcome import show_outcomes

    attached: list[bool] = []

    def before_cell(info: Any) -> None:
        if starting.is_under_way and info.raw_cell.strip() not in LEAVING:
            console.print("Still connecting ... (Ctrl-C to go on without)")
            with contextlib.suppress(KeyboardInterrupt):
                starting.wait()
        if starting.session is not None and not attached:
            from epics.ca import use_initial_context

            use_initial_context()  # the records were connected by another thread
            attached.append(True)

    def show(shell: Any, kind: type[BaseException], error: BaseException, trace: Any, tb_offset: Any = None) -> None:
        one_line(shell, kind, error, trace, tb_offset)
        if isinstance(error, NameError) and starting.session is None:
            print("The session is still being made." if starting.is_under_way else "No session: %connect tries again.")

    register(shell, BeamlineMagics(shell, starting.wait, console), StartMagics(shell, starting))
    show_outcomes(shell, lambda: starting.session.config.data.root)
    shell.events.register("pre_run_cell", before_cell)
    shell.set_custom_exc((Exception,), show)


def one_line(shell: Any, kind: type[BaseException], error: BaseException, trace: Any, tb_offset: Any = None) -> None:
    """Show an error as one line; ``%tb`` shows where it came from."""
    if kind.__name__ == "RunEngineInterrupted":
        print("Paused. RE.resume() goes on, RE.stop() ends the run and keeps it, RE.abort() ends it as failed.")
    else:
        print(f"{kind.__name__}: {error}  (%tb shows where)")
