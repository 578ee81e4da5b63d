"""Start-up of the queue server's worker, which starts a session. Importing it starts one."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import beamline
from beamline.session.orderly_end import EndRequest, OrderlyEnd

if TYPE_CHECKING:
    from beamline.session.session import Session


def _start() -> Session:
    """Start the session; from now on until the process ends, signals end it in order.

    Raises
    ------
    RuntimeError
        If another session controls the beamline.
    """
    end = OrderlyEnd(signal.SIGINT).__enter__()
    try:
        session = beamline.start(beamline.load(os.environ["TRXAS_CONFIGURATION"]))
    except EndRequest as request:  # the worker would go on
        os._exit(request.status)
    from beamline.session.session import Session  # these need the Channel Access environment
    from beamline.session.verdict_stop import stop_at_verdicts

    if not isinstance(session, Session):
        raise RuntimeError(f"no plan runs from here: {session.config.name} is {session.why}")
    end.close = session.close
    session.end_with_interrupt()
    stop_at_verdicts(session)
    return session


session = _start()
session.publish(globals())
