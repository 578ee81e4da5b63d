"""The plan of a row: sample, place, and the measurement or what is left of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import bluesky.preprocessors as bpp
from bluesky.utils import Msg, MsgGenerator, RunEngineControlException

from beamline.session.nights.progress import NIGHT, PLACE, NightProgress, choose, entry, planned_exposure
from beamline.session.nights.rows import NightRow, row_of
from beamline.session.persistent.places import NamedPlace, Places, find_place
from beamline.session.scans.resume import CompleteError
from beamline.session.verdict_stop import VerdictError
from plans.protocols import Supervision

logger = logging.getLogger(__name__)


class NightContext(Protocol):
    """What rows need from the scans of a session."""

    @property
    def data_root(self) -> Path: ...

    @property
    def sample(self) -> str: ...

    @property
    def supervision(self) -> Supervision: ...

    @property
    def places(self) -> Places: ...

    @property
    def about(self) -> Callable[..., Any]: ...

    def functions(self) -> dict[str, Callable[..., Any]]:
        """Plans by name."""

    def notify(self, text: str) -> None:
        """Report to the user."""

    def resume(self, scan_set: str) -> MsgGenerator[str]: ...


class RowPlans:
    """Plans of rows, bound to a session.

    Parameters
    ----------
    context : NightContext
    """

    def __init__(self, context: NightContext) -> None:
        self._context = context
        self._plans, self._places = context.functions(), context.places

    def night_row(self, row: str) -> MsgGenerator[str]:
        """Measure a row of a table, or what is left of it; a failure is reported, and the queue goes on.

        ``trxas batch FILE --queue ADDRESS`` puts rows into the queue as this plan.

        Examples
        --------
        >>> RE(night_row('{"night": "tonight", "key": "b", "plan": "energy_scan", "places": ["spot1"]}'))

        Parameters
        ----------
        row : str
            As JSON: night, key, plan, arguments, sample, places, exposure and number. It is one text, since the queue
            server puts the plan or device in place of each text that is the name of one.

        Returns
        -------
        str
            ``done``, or ``failed`` with the reason.
        """
        night, found = row_of(row)
        try:
            yield from self.measure(night, found)
        except (RunEngineControlException, VerdictError):
            raise
        except Exception as error:  # the next rows may do
            logger.debug("row %s failed", found.number, exc_info=True)
            self._context.notify(f"Row {found.number} has failed: {error}")
            return f"failed: {error}"
        return "done"

    def measure(self, night: str, row: NightRow) -> MsgGenerator[Any]:
        """The plan of a row; it does nothing if the row is done.

        Raises
        ------
        beamline.session.nights.progress.NoPlaceError
            Before the run that would be too long for every place.
        """
        if row.sample and row.sample != self._context.sample:
            self._context.about(sample=row.sample)
        progress = NightProgress.of(self._context.data_root, night)
        try:
            rest = progress.rest(row, self._context.sample)
        except CompleteError as complete:
            self._context.notify(f"Row {row.number}: {complete}")
            return None
        plan = self._plans[row.plan](**row.arguments) if rest is None else self._context.resume(rest.uid)
        return (yield from bpp.plan_mutator(plan, lambda message: self._before(message, night, row)))

    def _before(self, message: Msg, night: str, row: NightRow) -> tuple[MsgGenerator[Any] | None, None]:
        is_new = message.command == "open_run" and NIGHT not in message.kwargs
        return (self._open(message, night, row) if is_new else None), None

    def _open(self, message: Msg, night: str, row: NightRow) -> MsgGenerator[Any]:
        """Go to the place of a run, and open it."""
        entries: dict[str, Any] = {NIGHT: entry(night, row.key)}
        if row.places:
            place = self._place(night, row, planned_exposure(message.kwargs))
            yield from self._places.move(place)
            self._context.supervision.watch.moved(self._places.axes(place))
            entries[PLACE] = place.entry()
        kwargs = {**message.kwargs, **entries}
        return (yield Msg(message.command, message.obj, *message.args, run=message.run, **kwargs))

    def _place(self, night: str, row: NightRow, wanted: float) -> NamedPlace:
        places = [find_place(self._places.saved(), name) for name in row.places]
        progress = NightProgress.of(self._context.data_root, night)
        return choose(places, row.exposure, wanted, {each.name: progress.exposure(each) for each in places})
