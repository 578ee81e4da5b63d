"""Tells a plan that the RunEngine has gone back to the last checkpoint.

After a pause the RunEngine repeats the messages since the last checkpoint by itself. The plan goes on where it was and
does not get the answers of the repeated messages: what it has read before the pause is not what the event holds.
"""

from __future__ import annotations

import bluesky.plan_stubs as bps
from bluesky.utils import MsgGenerator


class Rewinds:
    """Counts how often the RunEngine has come past a mark in a plan.

    Attributes
    ----------
    passages : int
        1 after the mark; one more for each time that the RunEngine has gone back behind it.
    """

    def __init__(self) -> None:
        self.passages = 0

    async def _pass(self) -> None:
        self.passages += 1

    def mark(self) -> MsgGenerator[None]:
        """Put the mark here."""
        yield from bps.wait_for([self._pass])
