"""Results as xarray datasets, and the page on them, whose lines are typed in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import beamline
from beamline.records.runs.run import RunError
from tests.beamline.catalogue_writing import write_catalogue
from tests.beamline.raw_scans import ENERGIES, Acquisition, acquire, scan_set_of
from tests.beamline.shift import Shift
from tests.beamline.tiled_process import API_KEY, TiledProcess
from tests.docs.typing_in import Step, steps, type_in

PAGE = "how-to/results-as-arrays.md"
LOCAL_STEPS = 5
"""Steps of the page after the first, which needs a session, and before those that need a catalogue."""
SCREEN = 40
"""Lines."""


def test_a_spectrum_is_a_dataset_with_named_axes(shift: Shift) -> None:
    result = beamline.results(shift.scan_set("energy"), data=shift.root)
    data = shift.data("energy", "spectrum")
    assert result.transient.dims == ("detector", "slot", "energy")
    for key in ("on", "off", "transient", "transient_stddev"):
        np.testing.assert_array_equal(result[key].sel(detector="fpga"), data[key])
    np.testing.assert_array_equal(result.static[0], data["static"])
    covariance = result.transient_covariance.sel(detector="fpga", slot=1)
    np.testing.assert_allclose(np.sqrt(np.diagonal(covariance)), data["transient_stddev"][1], rtol=1e-9)
    np.testing.assert_array_equal(result.dwells.sel(laser="on"), data["dwells"][1])
    assert (result.energy.attrs["units"], result.transient.attrs["units"]) == ("keV", "edge integrals")
    assert result.slot_delay[:2].values == pytest.approx([100.0, 100.0 + 153_438.0], abs=1)
    assert result.attrs["raw_runs"] == [documents[0][1]["uid"] for documents in shift.raw["energy"]]
    assert len(repr(result).splitlines()) <= SCREEN


@pytest.mark.parametrize(
    ("kind", "axis", "unit"), [("delay", "laser_delay", "ps"), ("fluence", "laser_fluence", "mJ/cm2")]
)
def test_traces_have_their_axis(shift: Shift, kind: str, axis: str, unit: str) -> None:
    result = beamline.results(shift.scan_set(kind), data=shift.root)
    data = shift.data(kind, "trace")
    assert result.transient.dims == ("detector", "slot", axis) and result[axis].attrs["units"] == unit
    np.testing.assert_array_equal(result.transient[0], data["transient"])
    assert "static" not in result
    with pytest.raises(RunError, match=r"only a spectrum has an edge step"):
        beamline.results(shift.scan_set(kind), data=shift.root, edge_step=True)


def test_a_scan_in_its_first_pass_is_still_being_measured_and_then_has_its_result(tmp_path: Path) -> None:
    (documents,) = scan_set_of(1)
    with Acquisition(tmp_path) as session:
        session.take(documents[:9])
        with pytest.raises(RunError, match=r"^last has no reduced result yet: .* grid; it is still being measured$"):
            beamline.results("last", data=tmp_path)
        session.take(documents[9:])
        assert np.isfinite(beamline.results("last", data=tmp_path).transient).any()


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    (documents,) = scan_set_of(1)
    acquire(tmp_path, [documents[:9]])
    with pytest.raises(RunError, match=r"^last has no reduced result yet"):
        beamline.results("last", data=tmp_path)
    with pytest.raises(RunError, match=r"^no run or scan set has a uid that begins with 'zzz'"):
        beamline.results("zzz", data=tmp_path)
    with pytest.raises(RunError, match=r"^runs come from the journal or from the catalogue, not from 'file'"):
        beamline.results("last", data=tmp_path, source="file")


def test_the_edge_step_is_that_of_larch_for_the_same_rates(shift: Shift) -> None:
    """The spectrum is the mean of the slots with the laser off."""
    larch = pytest.importorskip("larch")
    from larch.xafs import pre_edge

    result = beamline.results(shift.scan_set("energy"), data=shift.root, edge_step=True)
    rate = shift.data("energy", "spectrum")["rate"][0].mean(axis=0)
    group = larch.Group(energy=1e3 * np.asarray(ENERGIES), mu=rate)
    span = 1e3 * (ENERGIES[-1] - 13.474)
    pre_edge(group, e0=13474.0, nvict=0, pre1=-24.0, pre2=-14.0, norm1=0.35 * span, norm2=span)
    np.testing.assert_allclose(result.norm[0], group.norm, rtol=1e-6)
    assert float(result.edge_step[0]) == pytest.approx(group.edge_step, rel=1e-6)
    assert (result.norm_stddev > 0).all() and result.norm.attrs["units"] == "edge steps"


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Step], dict[str, Any]]:
    """The steps of the page after the first, and names: a data root with two scan sets."""
    root = tmp_path / "data"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    sets = [scan_set_of(2, seed=seed) for seed in (1, 2)]
    acquire(root, [documents for one in sets for documents in one])
    return steps(PAGE)[1:], {"root": root, "scan_sets": [one[0][0][1]["scan_set"] for one in sets]}


def follow(page: list[Step], names: dict[str, Any]) -> None:
    for step in page:
        printed = type_in(names, step.text)
        assert not step.printed or printed == step.printed, step.text


def test_the_page_on_arrays_does_what_it_says(typed: tuple[list[Step], dict[str, Any]]) -> None:
    page, names = typed
    assert "source=" in page[LOCAL_STEPS].text
    follow(page[:LOCAL_STEPS], names)
    first, second = (names[each].transient.sel(slot=0)[0] for each in ("first", "second"))
    mean, stddev = names["mean"].sel(slot=0)[0], np.sqrt(np.diagonal(names["covariance"].sel(slot=0)[0]))
    low, high = np.minimum(first, second), np.maximum(first, second)
    assert ((low <= mean) & (mean <= high)).all() and (stddev < names["first"].transient_stddev.sel(slot=0)[0]).all()


@pytest.mark.long
def test_the_page_on_arrays_through_databroker_and_a_server(
    typed: tuple[list[Step], dict[str, Any]], tiled_server: TiledProcess
) -> None:
    page, names = typed
    tiled_server.start()
    for where in (names["root"] / "catalogue", tiled_server.uri):
        assert write_catalogue(names["root"], where)
    follow(page, names | {"server": tiled_server.uri, "key": API_KEY})
