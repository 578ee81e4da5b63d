"""IPython with the session's names."""

from __future__ import annotations

from rich.console import Console

from beamline.config import Configuration

BANNER = """{where}
  RE(energy_scan(edge="Br_K", delay=10_100, passes=1, dwell=0.5))   a scan; energy_scan? explains it
  RE(bps.mv(mono, 13.472)); mono.read()                             move and read
  session.reducer.spectrum()                                        what has been reduced so far
Devices: {devices}"""


def run_shell(config: Configuration, console: Console) -> None:
    """Start a session, publish its names into IPython, and close it when IPython ends."""
    import bluesky.plan_stubs as bps
    import bluesky.plans as bp
    import IPython
    from IPython.terminal.prompts import Prompts, Token
    from traitlets.config import Config

    from beamline.session import start

    label = "SIM" if config.mode == "sim" else config.name

    class BeamlinePrompts(Prompts):
        """Says in every prompt whether this is the simulation."""

        def in_prompt_tokens(self) -> list[tuple[object, str]]:
            return [(Token.Prompt, f"{label} [{self.shell.execution_count}]: ")]

    settings = Config()
    settings.TerminalInteractiveShell.prompts_class = BeamlinePrompts
    settings.TerminalInteractiveShell.confirm_exit = False
    with start(config, tell=console.print) as session:
        names = {"bp": bp, "bps": bps}
        session.publish(names)
        where = f"{config.name}: {'SIMULATED' if config.mode == 'sim' else 'REAL'} beamline"
        settings.TerminalInteractiveShell.banner1 = BANNER.format(
            where=where, devices=", ".join(session.beamline.devices())
        )
        IPython.start_ipython(argv=[], user_ns=names, config=settings)
