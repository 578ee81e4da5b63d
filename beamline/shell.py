"""IPython with the session's names."""

from __future__ import annotations

import logging
from typing import Any

from rich.console import Console

from beamline.config import Configuration

BANNER = """{where}
  RE(energy_scan(edge="Br_K", delay=10_100, passes=1, dwell=0.5))   a scan; energy_scan? explains it
  delay_scan, fluence_scan, delay_series, background_run            the others; resume("uid") goes on with one
  preview(delay_scan, passes=3)                                     what it would do and how long, touching nothing
  RE(bps.mv(mono, 13.472)); mono.read()                             move and read
  session.reducer.spectrum()                                        what has been reduced so far
Devices: {devices}"""


def run_shell(config: Configuration, console: Console, *, read_only: bool = False) -> None:
    """Start a session, publish its names into IPython, and close it when IPython ends."""
    import bluesky.plan_stubs as bps
    import bluesky.plans as bp
    from IPython.terminal.interactiveshell import TerminalInteractiveShell
    from IPython.terminal.prompts import Prompts, Token
    from traitlets.config import Config

    from beamline.progress import LiveTable
    from beamline.session import Session, start

    label = "SIM" if config.mode == "sim" else config.name

    class BeamlinePrompts(Prompts):
        """Says in every prompt whether this is the simulation."""

        def in_prompt_tokens(self) -> list[tuple[object, str]]:
            return [(Token.Prompt, f"{label} [{self.shell.execution_count}]: ")]

    settings = Config()
    settings.TerminalInteractiveShell.prompts_class = BeamlinePrompts
    settings.TerminalInteractiveShell.confirm_exit = False
    with start(config, read_only=read_only, tell=console.print) as session:
        if isinstance(session, Session):
            session.listen_reduced(LiveTable(console), "the live table")
        names = {"bp": bp, "bps": bps}
        session.publish(names)
        where = f"{config.name}: {'SIMULATED' if config.mode == 'sim' else 'REAL'} beamline"
        where += ", READ ONLY" if session.read_only else ""
        settings.TerminalInteractiveShell.banner1 = BANNER.format(
            where=where, devices=", ".join(session.beamline.devices())
        )
        logging.getLogger("bluesky").setLevel(logging.CRITICAL)  # it logs each error that is shown anyway
        shell = TerminalInteractiveShell.instance(user_ns=names, config=settings)
        shell.set_custom_exc((Exception,), one_line)
        shell.mainloop()


def one_line(shell: Any, kind: type[BaseException], error: BaseException, trace: Any, tb_offset: Any = None) -> None:
    """Show an error as one line; ``%tb`` shows where it came from."""
    from bluesky.utils import RunEngineInterrupted

    if isinstance(error, RunEngineInterrupted):
        print("Paused. RE.resume() goes on, RE.stop() ends the run and keeps it, RE.abort() ends it as failed.")
    else:
        print(f"{kind.__name__}: {error}  (%tb shows where)")
