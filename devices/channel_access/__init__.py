"""What makes a step of a scan short: low-overhead Channel Access, the only code that imports pyepics, and reads.

Devices are ophyd devices on pyepics channels; this package replaces the paths that cost milliseconds in each dwell.

- `GroupGet` reads several records at once, without a Python callback for each reply.
- `put` sends a plain number (`is_plain_number`), and calls a `PutCallback` with the outcome.
- `ThreadlessStatus` and `FinishedStatus` are statuses without threads of their own.
- `ChannelAccessException` is raised where a request cannot be sent; `NO_REPLY` lists what gets and puts
  of pyepics raise.
- `quick_read`, imported by itself, is the RunEngine of a session: it reads a device without repeated checks.
- `PV` is the channel of pyepics; `attach_initial_context` lets another thread use channels that are connected.
"""

from epics import PV
from epics.ca import ChannelAccessException

from devices.channel_access.group_get import GroupGet
from devices.channel_access.libca import NO_REPLY, attach_initial_context
from devices.channel_access.puts import (
    PutCallback,
    access_rights,
    has_connected,
    is_plain_number,
    put,
    takes_integers,
    takes_puts,
)
from devices.channel_access.status import FinishedStatus, ThreadlessStatus

__all__ = [
    "NO_REPLY",
    "PV",
    "ChannelAccessException",
    "FinishedStatus",
    "GroupGet",
    "PutCallback",
    "ThreadlessStatus",
    "access_rights",
    "attach_initial_context",
    "has_connected",
    "is_plain_number",
    "put",
    "takes_integers",
    "takes_puts",
]
