"""The complete beamline: configuration, session, journal, catalogue, figures, export and command line.

Three lines make a session, in a script, a notebook and the start-up of a queue server alike::

    import beamline
    session = beamline.start(beamline.load("simulated"))
    session.publish(globals())

In a notebook ``%load_ext beamline`` adds ``%wa``, ``%mov`` and ``%ct``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from beamline.config.models import Configuration
    from beamline.session.read_only import ReadOnlySession
    from beamline.session.session import Session


def load(source: str | Path, **changes: object) -> Configuration:
    """Read a configuration, see `beamline.config.models.load`."""
    from beamline.config.models import load

    return load(source, **changes)


def start(config: Configuration, **options: Any) -> Session | ReadOnlySession:
    """Build, connect and wire a beamline, see `beamline.session.session.start`.

    In simulation, Channel Access addresses default to this machine; they must be set before ophyd, and therefore the
    session, is imported.
    """
    from beamline.session.addresses import keep_to_this_machine

    if config.mode == "sim":
        keep_to_this_machine()
    from beamline.session.session import start

    return start(config, **options)


def load_ipython_extension(shell: Any) -> None:
    """Entry point of ``%load_ext beamline`` in a notebook: ``%wa``, ``%mov``, ``%ct`` for its ``session``."""
    from beamline.app.magics import register_magics

    register_magics(shell)
