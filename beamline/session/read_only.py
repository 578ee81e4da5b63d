"""A session that only reads, beside one that controls the beamline."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from beamline.config.models import Configuration
from beamline.records.runs.arrays import dataset
from beamline.records.runs.journal_runs import JournalRuns
from beamline.session.notes import note_for
from beamline.session.persistent.signals import restore_signals
from beamline.session.persistent.state import read_state
from beamline.station.beamline import Beamline
from beamline.station.connect import disconnect, refuse_puts

if TYPE_CHECKING:
    import xarray as xr


class ReadOnlySession:
    """A view of a beamline that another session may control: devices that refuse every set, and no RunEngine.

    Parameters
    ----------
    config : Configuration
    beamline : Beamline
        Connected.
    notify : callable
        Called with messages for the user.
    refusal : str
        Why it cannot control the beamline; empty if it was not to.
    """

    read_only = True

    def __init__(
        self, config: Configuration, beamline: Beamline, notify: Callable[[str], None], refusal: str = ""
    ) -> None:
        self.config = config
        self.beamline = beamline
        self.why = why = refusal or "as requested"
        """Why it is read-only."""
        if refusal:
            notify(f"READ ONLY: {config.name} is {refusal}. End that session to take over.")
        try:
            state = read_state(config.data.root)
        except (ValueError, OSError) as error:
            notify(f"t0 is not the saved one: the state in {config.data.root} cannot be read ({error})")
        else:
            if state is not None:
                restore_signals(beamline.devices(), state)
        for device in beamline.devices().values():
            refuse_puts(device, f"this session is read-only, {why}")

    def result(self, name: str = "last", *, edge_step: bool = False) -> xr.Dataset:
        """A result of this data root, see `beamline.records.runs.arrays.dataset`; by default of the newest scan."""
        return dataset(JournalRuns(self.config.data.root), name, edge_step=edge_step)

    def names(self) -> dict[str, Any]:
        """Names for the namespace of IPython: the devices, for reading, and `note`."""
        return {"session": self, "note": note_for(self.config.data.root), **self.beamline.devices()}

    def publish(self, namespace: dict[str, Any]) -> None:
        """Put the session's names into a namespace, for example ``globals()``."""
        namespace.update(self.names())

    def close(self, why: str = "", *, hurry: bool = False) -> None:
        """Close the channels; there is no lock."""
        disconnect(self.beamline.devices())

    def __enter__(self) -> ReadOnlySession:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
