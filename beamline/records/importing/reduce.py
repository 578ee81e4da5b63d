"""The reduced run of an imported one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from beamline.records.importing.run import Publish
from beamline.records.journal import Journal
from beamline.records.runs.job import plan_job
from beamline.records.runs.replay import replay
from beamline.records.runs.run import REPLAYED
from beamline.records.runs.store import RunStore
from reduction.documents.raw import IMPORTED, is_reducible


def journal_of(root: Path, min_free_gb: float) -> Journal:
    """The journal of a data root, to be closed by the caller."""
    return Journal(root, min_free_bytes=int(min_free_gb * 1e9))


def reduce_imported(store: RunStore, uid: str, publish: Publish) -> Iterator[str]:
    """Publish the reduced run of an imported one; yields its remarks and notes.

    Parameters
    ----------
    store : RunStore
    uid : str
        Of the imported run.
    publish : callable
        Called with each document of the reduced run.
    """
    runs = store.runs()
    run = next(each for each in runs if each.uid == uid)
    if not is_reducible(run.start):
        yield from run.start[IMPORTED]["remarks"]
        return
    (result,) = replay(store, runs, plan_job(runs, uid, {}), with_shots=False)
    for name, doc in result.documents:
        publish(
            name, {key: value for key, value in doc.items() if key != REPLAYED}
        )  # it is the first one, not a replay
    stop = result.documents[-1][1]
    yield f"reduced run {result.start['uid'][:8]}: {stop.get('reason') or 'edge ' + str(run.start['edge'])}"
    last = [doc["data"] for name, doc in result.documents if name == "event" and "notes" in doc["data"]]
    yield str(last[-1]["notes"]) if last else ""
