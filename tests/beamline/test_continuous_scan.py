"""Continuous energy scans of a session on a simulated beamline: spectra, the drift page, bad input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from event_model import unpack_event_page

from beamline.outputs.export.counted import count_up
from beamline.outputs.live_figure.drifts import of_dwells
from beamline.outputs.live_figure.dwells import DwellLog
from beamline.outputs.live_figure.pages import Page
from beamline.outputs.live_figure.texts import parts_done
from beamline.session.scans.resume import CompleteError, remaining
from plans.protocols import MissingRoleError
from reduction.live.reducer import LiveReducer
from tests.beamline.configurations import without
from tests.beamline.session_runs import documents, events, reduced_of
from tests.beamline.sweep_shift import GRID, WINDOWS, Shift, at_rest, spectrum_of, sweep, sweeps_of, swept_shift

__all__ = ["swept_shift"]  # the fixture `shift`


@pytest.mark.long
def test_a_pass_has_the_static_spectrum_and_the_transient_of_a_step_scan(shift: Shift) -> None:
    session = shift[0]
    uid = sweep(shift, pattern=(1, 0), reference="slots")
    steps = session.RE(session.energy_scan(energies=GRID, dwell=1.0, settings=WINDOWS, reference="slots"))
    found, expected = spectrum_of(shift, uid), spectrum_of(shift, steps.run_start_uids[0])
    assert [each["quality"] for each in sweeps_of(shift, uid)] == ["good", "good"]
    assert [each["laser_on"] for each in sweeps_of(shift, uid)] == [1, 0]
    for key in ("static", "transient"):
        of_slot = (slice(None),) if key == "static" else (0,)
        difference = (found[key] - expected[key])[of_slot]
        pull = difference / np.hypot(found[f"{key}_stddev"], expected[f"{key}_stddev"])[of_slot]
        assert np.abs(pull).max() < 4.5, key
        assert (pull**2).mean() == pytest.approx(1, abs=6 * np.sqrt(2 / pull.size)), key
    assert found["transient"][0].min() < -4 * found["transient_stddev"][0].min()
    assert len(events(reduced_of(session, uid), "points")) == GRID.size
    with pytest.raises(CompleteError):
        remaining(session.config.data.root, uid, session.scans.sample)


@pytest.mark.long
def test_stored_documents_give_the_live_numbers_in_either_order(shift: Shift) -> None:
    """As the journal has them, and stream by stream with single frames, as the catalogue has them."""
    uid = sweep(shift, pattern=(1, 0))
    live, stored = spectrum_of(shift, uid), documents(shift[0], uid)
    for docs in (stored, stream_by_stream(stored)):
        again = LiveReducer(lambda name, doc: None)
        for name, doc in docs:
            again(name, doc)
        assert np.array_equal(again.spectrum().transient, live["transient"], equal_nan=True)
        counted = count_up([(stored[0][1], docs)])
        assert (counted.gates > 0).all()
        share = counted.i0.sum() / sum(each["i0"] for each in sweeps_of(shift, uid))
        assert 0.6 < share < 1  # the run-up and the end are not on the grid


def stream_by_stream(docs: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Sweeps before frames, each frame an event."""
    streams: dict[str, list[tuple[str, Any]]] = {}
    for name, doc in docs:
        if name == "descriptor":
            streams[doc["uid"]] = [(name, doc)]
        elif name == "event_page":
            streams[doc["descriptor"]] += [("event", each) for each in unpack_event_page(doc)]
        elif name == "event":
            streams[doc["descriptor"]].append((name, doc))
    sorted_streams = sorted(streams.values(), key=lambda each: each[0][1]["name"], reverse=True)
    return [docs[0], *(each for stream in sorted_streams for each in stream), docs[-1]]


def test_the_laser_may_always_be_on(shift: Shift) -> None:
    found = spectrum_of(shift, sweep(shift, pattern=(1,)))
    assert "the last slot of the same shots" in found["notes"]
    assert np.isfinite(found["transient"][0]).all()
    assert found["transient"][0][20] < 0  # the white line


def test_the_drift_page_has_the_photons_of_each_sweep(shift: Shift) -> None:
    """Those of its frames, by their counts."""
    uid = sweep(shift, pattern=(0, 1))
    page = Page("drift", shift[0].config.data.root, over="dwells")
    page.look()
    assert isinstance(page.content, DwellLog)
    table, found = page.content.table(), of_dwells(page.content)
    assert list(table["laser_on"]) == [0, 1]
    pages = [doc["data"] for name, doc in documents(shift[0], uid) if name == "event_page"]
    for row, frames in enumerate(pages):
        begin, end = (np.array(frames[f"frame_{name}"]) for name in ("begin", "end"))
        inside = (end > begin) & (end > GRID[0] - 0.001) & (begin < GRID[-1] + 0.001)
        share = np.array(frames["frame_counts"])[inside] / np.array(frames["frame_gates"])[inside]
        assert table["photons"][row] == pytest.approx(-np.log1p(-share).mean(), rel=1e-3)
        hits = np.array(frames["frame_counts"])[inside].sum()
        assert table["photons_stddev"][row] == pytest.approx(table["photons"][row] / np.sqrt(hits), rel=0.2)
    assert parts_done(page.content.scan) == ("sweep", 2, 2)
    assert found["rate"].y.size == 2 and np.isfinite(found["rate"].y).all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dwell": 0.2, "frame": 0.1}, "frame of 0.1 s is too long for a dwell of 0.2 s"),
        ({"frame": 0.01}, "frame must be 0.02 to 0.2 s"),
        ({"energies": np.arange(13.452, 13.501, 0.008)}, "26.67 eV/s is faster than the 20 eV/s of the monochromator"),
        ({"energies": [11.0, 13.455, 13.5], "dwell": 200.0}, "mono cannot go to"),
        (
            {"energies": GRID, "dwell": 7.4},
            r"42\d\d frames, with those before and after the sweep, are more than the 4096",
        ),
        ({"target": 1e-3}, "target is no option of a continuous scan|unexpected|target"),
        ({"order": "random"}, "order"),
    ],
)
def test_bad_input_is_one_sentence(shift: Shift, given: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        sweep(shift, **{"delay": None, "pattern": (0,), **given})
    assert at_rest(shift)


def test_a_station_without_sweeps_says_so(shift: Shift, tmp_path: Any) -> None:
    session = shift[0]
    roles = without(session.config, "sweep").roles
    assert roles.sweep is None
    from beamline.session.scans.bind import BoundPlan
    from beamline.session.scans.dry_run import DryRunContext

    context = DryRunContext(tmp_path, session.config.reduction, entries=session.config.edges, roles=roles)
    with pytest.raises(MissingRoleError, match="the energy cannot be swept, energy_scan goes from point to point"):
        BoundPlan("continuous_scan", context).compile()
