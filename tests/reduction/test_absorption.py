"""A transmission diode and a foil behind the sample: absorbance by pairs, and the energy of every pass."""

from __future__ import annotations

import re

import numpy as np
import pytest

from reduction.detectors.absorption import absorbance, foil_pass
from tests.reduction.raw_documents import CHANGE, GRID, STATIC, Bench, Reduced
from tests.reduction.test_several_counters import streams

BOTH = {
    "apd": {"kind": "counter", "device": "fpga"},
    "diode": {"kind": "transmission", "device": "it"},
    "foil1": {"kind": "foil", "device": "ifoil", "edge": "Br_K"},
}
FINE = np.round(13.4712 + 0.0005 * np.arange(12), 6)
DARK, TRANSPARENCY, THICKNESS = 500.0, 0.3, 0.02


def step(energy, e0):
    return 0.5 + np.arctan((energy - e0) / 0.0008) / np.pi


def with_chambers(bench, uid, e0=13.4737, detectors=None, change=None, **start):
    """Documents of a pass with two chambers behind the sample; the absorbance of the sample is `THICKNESS` STATIC."""
    rng = np.random.default_rng([len(uid), 6])
    grid = np.asarray(start.get("grid", GRID))
    for name, doc in bench.a_pass(uid, None, **start, detectors=BOTH if detectors is None else detectors):
        if name == "descriptor":
            keys = [f"{device}{end}" for device in ("it", "ifoil") for end in ("", "_time", "_gain", "_dark")]
            doc["data_keys"] |= {key: {"shape": []} for key in keys}
        if name == "event":
            data, point = doc["data"], doc["data"]["point_index"]
            thickness = THICKNESS * STATIC[point] * (1 + data["laser_on"] * CHANGE[point])
            after = 1e6 * TRANSPARENCY * np.exp(-thickness) * (1 + 1e-5 * rng.standard_normal())
            behind = after * np.exp(-step(grid[point], e0)) * (1 + 1e-3 * rng.standard_normal())
            for device, rate in (("it", after), ("ifoil", behind)):
                data |= {device: rate + DARK, f"{device}_time": 1.0, f"{device}_gain": 1e8, f"{device}_dark": DARK}
            if change is not None:
                change(data, doc["seq_num"])
        yield name, doc


def test_the_diode_gives_the_spectra_of_the_sample():
    reduced = Reduced()
    reduced.take(with_chambers(Bench(), "a"))
    diode = streams(reduced)["diode"][-1]
    assert diode["pairs"] == 2
    np.testing.assert_allclose(diode["transient"], STATIC * CHANGE / edge_step(), atol=0.01)
    assert diode["transient_stddev"].max() < 0.01


def edge_step():
    """Integral of the laser-off spectrum by which both states are divided."""
    above = STATIC - STATIC[:3].mean()
    return 0.5 * (above[3:-1] + above[4:]).mean()


def test_the_foil_calibrates_the_energy_of_every_pass():
    reduced = Reduced()
    settings = {**Bench().settings, "pre_edge": [13.471, 13.4725], "integral": [13.473, 13.477]}
    for uid, off in (("a", 0.0), ("bb", 0.0005)):
        result = reduced.take(with_chambers(Bench(settings=settings), uid, e0=13.4737 + off, grid=FINE))
    foil = streams(reduced)["foil1"][-1]
    assert foil["calibrated"] == 2
    np.testing.assert_allclose(foil["shift"], [0.0, -0.0005], atol=4 * foil["shift_stddev"].max())
    assert foil["shift_stddev"].max() < 1e-4
    assert "Pass 2: add -0." in foil["notes"]
    assert re.search(r"By the edge of the foil foil1 the energies are \+0\.[123]", str(result.notes))


def test_passes_are_moved_by_the_foil_where_the_settings_say_so():
    settings = {**Bench().settings, "pre_edge": [13.471, 13.4725], "integral": [13.473, 13.477], "foil": "apply"}
    grid = np.round(13.4712 + 0.0005 * np.arange(12), 6)
    reduced, plain = Reduced(), Reduced()
    for uid, off in (("a", 0.0), ("bb", 0.0005)):
        result = reduced.take(with_chambers(Bench(settings=settings), uid, e0=13.4737 + off, grid=grid))
        plain.take(with_chambers(Bench(settings=settings | {"foil": "report"}), uid, e0=13.4737 + off, grid=grid))
    foil, reported = (streams(each)["foil1"][-1] for each in (reduced, plain))
    assert (foil["applied"], reported["applied"]) == (1, 0)
    assert "Energies are by the edge of the foil foil1: passes were moved by" in str(result.notes)
    assert "(or set foil=apply)" in str(plain.reducer.result().notes)
    first, alone = Reduced(), Reduced()
    settled = first.take(with_chambers(Bench(settings=settings), "a", grid=grid))
    unmoved = alone.take(with_chambers(Bench(settings=settings | {"foil": "report"}), "a", grid=grid))
    steep = np.abs(np.gradient(settled.static, grid)).argmax()
    assert settled.static_stddev[steep] > 1.5 * unmoved.static_stddev[steep]  # the error of the energy is in it


def test_a_spectrum_moves_to_the_energies_of_the_foil():
    """The foil's edge is shown a step of the grid too high: what was measured at a point belongs to the one below."""
    settings = {**Bench().settings, "pre_edge": [13.471, 13.4725], "integral": [13.473, 13.477]}
    moved, shown = (
        Reduced().take(with_chambers(Bench(settings=settings | {"foil": how}), "a", e0=13.4742, grid=FINE))
        for how in ("apply", "report")
    )
    below, same = (np.abs(moved.rate[0, 0, 2:-2] / shown.rate[0, 0, at] - 1) for at in (slice(3, -1), slice(2, -2)))
    assert below.max() < 0.1 < same.max()
    assert below.mean() < 0.2 * same.mean()


def test_a_foil_without_points_at_its_edge_says_so_and_the_scan_goes_on():
    reduced = Reduced()
    result = reduced.take(with_chambers(Bench(), "a"))
    assert result.used.all()
    foil = streams(reduced)["foil1"][-1]
    assert foil["calibrated"] == 0
    assert "Pass 1 is not calibrated: 2 points within 6 eV of 13.4737 keV are too few" in foil["notes"]
    unknown = {**BOTH, "foil1": {**BOTH["foil1"], "edge": "Zz_K"}}
    other = Reduced()
    other.take(with_chambers(Bench(), "a", detectors=unknown))
    assert "the energy of its edge is not known: give its e0 in keV" in streams(other)["foil1"][-1]["notes"]


def test_a_dark_diode_has_no_pair_and_the_counter_is_not_touched():
    def dark(data, number):
        data["it"] = 0.0

    reduced, plain = Reduced(), Reduced()
    result = reduced.take(with_chambers(Bench(), "a", change=dark))
    np.testing.assert_array_equal(result.transient, plain.take(Bench().a_pass("a")).transient)
    assert streams(reduced)["diode"][-1]["pairs"] == 0
    assert "0 pair(s)" in streams(reduced)["diode"][-1]["notes"]


def test_absorbance_of_what_is_not_above_zero_is_unknown():
    np.testing.assert_allclose(
        absorbance(np.array([2.0, 1.0, -1.0]), np.array([1.0, 0.0, 1.0])), [np.log(2), np.nan, np.nan]
    )


@pytest.mark.parametrize(("first", "step_keV", "number"), [(13.4682, 0.0008, 14), (13.4690, 0.0005, 20)])
def test_coarse_steps_far_from_the_edge_do_not_hide_it(first, step_keV, number):
    fine = np.round(first + step_keV * np.arange(number), 6)
    energy = np.concatenate([[13.450, 13.455], fine, [13.53, 13.57]])
    noise = 6e-4 * np.random.default_rng(0).standard_normal((energy.size, 4))
    found = foil_pass(energy, step(energy, 13.4733)[:, None] + noise, np.zeros(noise.shape, np.int8), 13.4737).found
    assert found is not None and found.stddev < 1e-4
    assert abs(found.position - 13.4733) < 4 * found.stddev


def test_the_errors_of_the_energy_are_those_of_repeats():
    energy = np.round(13.460 + 0.0005 * np.arange(56), 6)
    pulls = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        values = step(energy, 13.4740)[:, None] + 2e-3 * rng.standard_normal((energy.size, 4))
        found = foil_pass(energy, values, np.zeros((energy.size, 4), np.int8), 13.4737).found
        assert found is not None
        pulls.append((found.position - 13.4740) / found.stddev)
    assert abs(np.mean(pulls)) < 1.0
    assert 0.5 < np.std(pulls) < 1.6  # 12 repeats know it to 0.2
    one = foil_pass(energy, values[:, :1], np.zeros((energy.size, 1), np.int8), 13.4737)
    assert one.found is None and "two dwells" in one.why_not
