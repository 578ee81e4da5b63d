"""A record that reports each put: who, from where, which record, new and old value.

As the EPICS module caPutLog writes its lines, and if configured (environment variable EPICS_AS_PUT_LOG_PV) into a
record. Commands that every count gives are left out, as a real server leaves out records whose access security group
does not trap writes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np

from sim_ioc.records.channels import Putter
from sim_ioc.records.device import SimDevice
from sim_ioc.records.text import LONGEST, text_waveform


class SimPutLog(SimDevice):
    """The last line of a put log.

    Parameters
    ----------
    prefix : str
        Of the records that are logged, for example ``7idd:``; the line is in ``7idd:PutLog``.
    """

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self.prefix = prefix
        self.line = text_waveform("", "last put: who, record, values", writable=False)
        self.records = {f"{prefix}PutLog": self.line}

    async def log(self, putter: Putter, name: str, new: Any, old: Any) -> None:
        """A client has put; a `PutLogger`."""
        host, user = putter
        moment = datetime.now().astimezone().strftime("%d-%b-%y %H:%M:%S")
        await self.line.post(f"{moment} {host} {user} {name} new={_short(new)} old={_short(old)}"[:LONGEST])


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"array({value.size})"
    return f"{value:.12g}" if isinstance(value, float) else str(value)
