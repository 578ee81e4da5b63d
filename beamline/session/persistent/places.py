"""Positions of the sample by name, with their history: `%save`, `%goto`, the plan `goto`, and rows of a night."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import bluesky.plan_stubs as bps
from bluesky.utils import MsgGenerator

from beamline.formatting import when
from beamline.session.persistent.state import SavedPlace, StateFile
from beamline.station.beamline import Beamline
from beamline.station.roles import readback_of
from devices.base.bulk_read import fetch_value
from devices.base.signals import Readback
from plans.execution.point import MOVE_TIMEOUT

NAME = re.compile(r"[A-Za-z]\w*")
MOST_SAVED = 50
"""Positions that are kept under one name."""
Saved = Mapping[str, tuple[SavedPlace, ...]]


class PlaceError(ValueError):
    """There is no such place, or it cannot be saved; the message has the reason and a remedy."""


@dataclass(frozen=True)
class NamedPlace:
    """A name, and what was saved under it."""

    name: str
    saved: SavedPlace

    def entry(self) -> dict[str, Any]:
        """Entry ``place`` of a start document."""
        positions = {axis.replace(".", "_"): value for axis, value in self.saved.positions.items()}  # no dots in keys
        return {"name": self.name, "saved": self.saved.time, "positions": positions}

    def __str__(self) -> str:
        positions = ", ".join(f"{axis} {value:.6g}" for axis, value in self.saved.positions.items())
        return f"{self.name}: {positions} (saved {when(self.saved.time)})"


def find_place(saved: Saved, name: str) -> NamedPlace:
    """A place by its name; ``spot@1`` is what was saved under ``spot`` one before the newest.

    Raises
    ------
    PlaceError
        Naming those that there are.
    """
    base, _, back = str(name).strip().partition("@")
    versions = saved.get(base, ())
    if not versions:
        raise PlaceError(f"no place {base!r} is saved: %save {base or 'NAME'} there; saved are {_listed(saved)}")
    if back and not (back.isdecimal() and int(back) < len(versions)):
        raise PlaceError(f"{name!r}: {base} was saved {len(versions)} times; {base}@1 is the one before the newest")
    return NamedPlace(base, versions[-1 - int(back or 0)])


def _listed(saved: Saved) -> str:
    return ", ".join(sorted(saved)) or "none"


def sample_axes(beamline: Beamline) -> list[str]:
    """Dotted names of the axes that play no role: those of the sample."""
    roles = beamline.roles.entries().values()
    taken = {name.partition(".")[0] for names in roles for name in ([names] if isinstance(names, str) else names)}
    parts = (part for name in beamline if name not in taken for part in _with_parts(beamline, name))
    return [part for part in parts if _is_axis(beamline.part(part))]


def _with_parts(beamline: Beamline, name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}.{part}" for part in getattr(type(beamline.part(name)), "shown", ()))


def _is_axis(thing: Any) -> bool:
    return all(hasattr(type(thing), each) for each in ("set", "check_value", "position"))


def present_position(axis: Any) -> float:
    """Where an axis is now, by a get if it has a record."""
    readback = readback_of(axis)
    return fetch_value(readback) if isinstance(readback, Readback) else float(axis.position)


class Places:
    """The saved places of a session.

    Parameters
    ----------
    beamline : Beamline
    state_file : StateFile
    """

    def __init__(self, beamline: Beamline, state_file: StateFile) -> None:
        self._beamline, self._state_file = beamline, state_file

    def saved(self) -> Saved:
        """By name, the newest last."""
        return self._state_file.state.places

    def save(self, name: str, axes: Iterable[str] = ()) -> NamedPlace:
        """Save where axes are; what was saved under this name before stays in its history.

        Parameters
        ----------
        name : str
        axes : iterable of str
            Dotted names, by default those of the sample.

        Raises
        ------
        PlaceError
            If this is no name, or there is no such axis.
        """
        if not NAME.fullmatch(name):
            raise PlaceError(f"{name!r} is no name: a letter first, then letters, digits and '_'")
        positions = {each: present_position(self._axis(each)) for each in [*axes] or sample_axes(self._beamline)}
        if not positions:
            raise PlaceError(f"this beamline has no axes of the sample: name some, %save {name} stage.across")
        place = NamedPlace(name, SavedPlace(time=time.time(), positions=positions))
        versions = (*self.saved().get(name, ()), place.saved)[-MOST_SAVED:]
        self._state_file.update(places={**self.saved(), name: versions})
        return place

    def goto(self, name: str) -> MsgGenerator[None]:
        """Move the axes of a saved place there, all at once; all positions are checked before anything moves.

        Examples
        --------
        >>> RE(goto("spot1"))

        Parameters
        ----------
        name : str
            As in ``%save spot1``; ``spot1@1`` is where ``spot1`` was before it was saved again.

        Raises
        ------
        beamline.session.persistent.places.PlaceError
            If there is none.
        ophyd.utils.LimitError
            Before anything moves.
        """
        yield from self.move(find_place(self.saved(), name))

    def move(self, place: NamedPlace) -> MsgGenerator[None]:
        """The same for a place that is known."""
        moves = list(zip(self.axes(place), place.saved.positions.values(), strict=True))
        for axis, value in moves:
            axis.check_value(value)
        yield from bps.mv(*(each for move in moves for each in move), timeout=MOVE_TIMEOUT)

    def axes(self, place: NamedPlace) -> list[Any]:
        """The axes of a place, in its order."""
        return [self._axis(name) for name in place.saved.positions]

    def lines(self) -> list[str]:
        """Every place on a line, the newest of each name first."""
        return [
            f"{'' if not back else f'  @{back} '}{NamedPlace(name, saved)}"
            for name, versions in sorted(self.saved().items())
            for back, saved in enumerate(reversed(versions))
        ]

    def _axis(self, name: str) -> Any:
        try:
            axis = self._beamline.part(name)
        except LookupError as error:
            raise PlaceError(str(error.args[0])) from None
        if not _is_axis(axis):
            raise PlaceError(f"{name} is no axis; those of the sample are {', '.join(sample_axes(self._beamline))}")
        return axis
