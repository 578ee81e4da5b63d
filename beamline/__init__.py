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
    import xarray as xr

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


def results(
    name: str = "last",
    *,
    config: str | Path = "simulated",
    data: str | Path | None = None,
    source: str = "journal",
    api_key: str | None = None,
    edge_step: bool = False,
) -> xr.Dataset:
    """A result as an `xarray.Dataset`, see `beamline.records.runs.arrays.dataset`; needs no session.

    Parameters
    ----------
    name : str
        Uid of a run or scan set, a beginning of it, or ``last``.
    config : str or Path
        Configuration, which has the data root and the catalogue.
    data : str or Path, optional
        Data root instead of that of the configuration.
    source : str
        ``journal``, ``catalogue``, or the address of a Tiled server (``http://...``).
    api_key : str, optional
        Key of that server; by default ``TILED_API_KEY`` of the environment.
    edge_step : bool
        Add the laser-off spectrum divided by its edge step.

    Raises
    ------
    beamline.records.runs.store.RunError
        If there is no such run, or it has no result.
    """
    from contextlib import closing

    from beamline.records.runs.arrays import dataset
    from beamline.records.runs.store import CatalogueRuns, RunStore, open_runs

    if source.startswith(("http://", "https://")):
        store: RunStore = CatalogueRuns(source, api_key)
    else:
        chosen = load(config, **({} if data is None else {"data": {"root": str(data)}}))
        key = chosen.data.catalogue_key() if source == "catalogue" else None
        store = open_runs(source, chosen.data.root, chosen.data.catalogue_address, key)
    with closing(store):
        return dataset(store, name, edge_step=edge_step)


def load_ipython_extension(shell: Any) -> None:
    """Entry point of ``%load_ext beamline`` in a notebook: ``%wa``, ``%mov``, ``%ct`` for its ``session``."""
    from beamline.app.magics import register_magics

    register_magics(shell)
