"""A message about a change of state."""

from __future__ import annotations

from dataclasses import dataclass

from beamline.config.notify import Kind


@dataclass(frozen=True)
class Message:
    """What has changed.

    Attributes
    ----------
    kind : str
    time : float
        When it changed, seconds since 1970.
    title : str
        The change in a few words.
    text : str
        Which run, and more.
    scan_set : str
        Of the scan whose figure belongs to it; empty for none.
    """

    kind: Kind
    time: float
    title: str
    text: str = ""
    scan_set: str = ""
