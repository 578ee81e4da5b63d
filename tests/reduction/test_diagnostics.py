"""Jet noise, drift, damage and laser-only light are each reported; a clean scan gives no warning."""

from __future__ import annotations

import re

import numpy as np
import pytest

from reduction.counting.rows import PER_DWELL, only, rows_of_counts
from reduction.diagnostics.diagnostics import diagnose
from reduction.errors import ReductionError
from sim_ioc.physics.photons import sample_counts
from tests.reduction.scans import ENERGIES, SETTINGS, WHITE_LINE, scenario_model

PASSES, PATTERN, GATES = 8, (1, 0, 0, 1), 300_000
LASER = np.tile(PATTERN, PASSES)
SCAN = np.repeat(np.arange(PASSES), len(PATTERN))


@pytest.fixture(scope="module")
def model():
    return scenario_model(
        sample={"mu_white_line": 0.3}, jet={"thickness_rms": 0.0, "pass_to_pass_rms": 0.0},
        laser={"background_per_gate": 0.0},
    )  # fmt: skip


def rows(model, seed, thickness=1.0, change=None, laser_only=0.0):
    """A scan. `thickness` broadcasts against (E, R), `change` (relative, of mu) against (E, R)."""
    rng = np.random.default_rng(seed)
    light = np.stack([model.mu(ENERGIES, 100.0, 8.8, bool(laser)) for laser in (0, 1)], axis=1)[:, LASER]
    light = light * np.broadcast_to(thickness, light.shape[:2])[:, :, None]
    if change is not None:
        light = light * (1 + np.broadcast_to(change, light.shape[:2]))[:, :, None]
    light[:, LASER == 1] += laser_only * (model.slot_of_phase == 0)
    gates = np.full(light.shape, GATES)
    flux = 0.2 * (1 + SETTINGS.i0_noise * rng.standard_normal(light.shape[:2]))
    return rows_of_counts(sample_counts(rng, light, gates), gates, flux, LASER == 1, SCAN, model.slot_of_phase)


def sentences(found) -> str:
    return " ".join(found.sentences)


def test_a_clean_scan_is_left_in_peace_and_its_numbers_are_statistics(model):
    found = [diagnose(ENERGIES, rows(model, seed), SETTINGS) for seed in range(60)]
    alarms = sum(bool(each.sentences) for each in found)
    assert alarms <= 5  # about 20 tests at 1e-3 each
    for name in ("off_off", "permuted"):
        tests = [getattr(each, name) for each in found]
        assert abs(np.mean([each.ratio for each in tests]) - 1) < 4.5 * np.sqrt(2 / tests[0].dof / 60)
        pulls = [(each.ratio - 1) / np.sqrt(2 / each.dof) for each in tests]
        assert abs(np.std(pulls) - 1) < 4.5 / np.sqrt(120)
    for name in ("scatter", "halves"):  # slots share the noise of I0: count them as one
        tests = [getattr(each, name)[0] for each in found]
        assert abs(np.mean([each.ratio for each in tests]) - 1) < 4.5 * np.sqrt(2 / tests[0].dof / 60)
        assert abs(np.mean([each.low < 1 < each.high for each in tests]) - 0.954) < 4.5 * np.sqrt(0.954 * 0.046 / 60)
    for name in ("edge_step", "shape", "reference", "transient"):
        assert np.mean([getattr(each, name).p_value < 0.05 for each in found]) < 0.05 + 4.5 * np.sqrt(0.0475 / 60)


def test_jet_noise_is_reported(model):
    rng = np.random.default_rng(1)
    found = diagnose(ENERGIES, rows(model, 1, 1 + 0.01 * rng.standard_normal((ENERGIES.size, LASER.size))), SETTINGS)
    assert "Passes scatter" in sentences(found) and "Laser-off dwells" in sentences(found)
    assert found.scatter[0].low > 2 and found.off_off.low > 2


def test_jet_noise_alone_is_no_change_of_shape(model):
    """Every pass has a shape of its own then, and they follow no line; counting alone would alarm in most scans."""
    found = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        noise = 0.01 * rng.standard_normal((ENERGIES.size, LASER.size))
        drift = 0.02 * rng.standard_normal(PASSES)[SCAN] * np.linspace(-1, 1, ENERGIES.size)[:, None]
        found.append(diagnose(ENERGIES, rows(model, seed, 1 + (noise if seed % 2 else drift)), SETTINGS))
    assert np.mean([each.shape.p_value < 0.05 for each in found]) < 0.25
    assert not any(each.shape.seen for each in found)


def test_noise_between_passes_alone_does_not_reach_the_transient(model):
    """Each pass is divided by its own edge integral."""
    rng = np.random.default_rng(2)
    found = diagnose(ENERGIES, rows(model, 2, 1 + 0.05 * rng.standard_normal(PASSES)[SCAN]), SETTINGS)
    assert not any(each.seen for each in found.scatter) and not found.off_off.seen
    assert not found.edge_step.seen  # scatter, not a drift


def test_drift_is_reported(model):
    found = diagnose(ENERGIES, rows(model, 3, 1 - 0.03 * SCAN / (PASSES - 1)), SETTINGS)
    assert found.edge_step.change == pytest.approx(-0.03, abs=0.003)
    scattered = 1 - 0.6 * SCAN / (PASSES - 1) + 0.03 * np.random.default_rng(9).standard_normal(PASSES)[SCAN]
    for one in (found, diagnose(ENERGIES, rows(model, 4, scattered), SETTINGS)):
        shown_to_a_hundredth_of_a_per_cent(one)


def shown_to_a_hundredth_of_a_per_cent(found):
    shown = re.search(r"The edge step changes by (\S+) \+- (\S+) %", sentences(found))
    assert shown is not None
    assert float(shown[1]) / 100 == pytest.approx(found.edge_step.change, abs=0.5e-4)  # shown to 0.01 %
    assert float(shown[2]) / 100 == pytest.approx(found.edge_step.stddev, abs=0.5e-4)


def test_damage_is_reported(model):
    """The white line loses 2 % from first to last pass."""
    change = np.zeros((ENERGIES.size, LASER.size))
    change[WHITE_LINE] = -0.02 * SCAN / (PASSES - 1)
    found = diagnose(ENERGIES, rows(model, 4, change=change), SETTINGS)
    assert "shape of the static spectrum" in sentences(found)
    assert found.shape.change == pytest.approx(-0.02 * 1.5, rel=0.6) and not found.off_off.seen


def test_loss_of_overlap_is_reported(model):
    """The transient of the last pass is half that of the first; the static spectrum stays."""
    of_slot = model.slot_of_phase == 0
    on, off = (model.mu(ENERGIES, 100.0, 8.8, laser)[:, of_slot].mean(axis=1) for laser in (True, False))
    full = on / off - 1
    change = np.where(LASER == 1, -0.5 * SCAN / (PASSES - 1), 0.0) * full[:, None]
    found = diagnose(ENERGIES, rows(model, 5, change=change), SETTINGS)
    assert "The transient changes" in sentences(found)
    assert found.transient.change == pytest.approx(-0.5 / 0.75, rel=0.3)


def test_laser_only_light_is_reported_in_its_slot_only(model):
    found = diagnose(ENERGIES, rows(model, 6, laser_only=2e-3), SETTINGS)
    assert "slot 0" in sentences(found) and "laser-only light" in sentences(found)
    assert not any(f"slot {s}" in sentences(found) for s in range(1, 5))
    assert found.own_offset[0] == pytest.approx(found.offset_removed[0], abs=4 * found.offset_removed_stddev[0])


def test_laser_only_light_shows_through_jet_noise(model):
    rng = np.random.default_rng(7)
    thickness = 1 + 0.01 * rng.standard_normal((ENERGIES.size, LASER.size))
    found = diagnose(ENERGIES, rows(model, 7, thickness, laser_only=2e-3), SETTINGS)
    assert "laser-only light" in sentences(found)


def test_one_pass_reports_that_its_scatter_is_not_known(model):
    scan = rows(model, 8)
    single = type(scan)(**{
        **scan.__dict__, "pass_index": scan.pass_index[:4],
        **{name: getattr(scan, name)[:, :4] for name in PER_DWELL},
    })  # fmt: skip
    found = diagnose(ENERGIES, single, SETTINGS)
    assert "One pass" in sentences(found) and np.isnan(found.scatter[0].ratio) and found.off_off.dof > 0


def test_no_whole_pass_is_an_error(model):
    scan = rows(model, 9)
    scan.state[3:7] = -1  # more than a fifth of the points
    with pytest.raises(ReductionError, match="no pass is complete"):
        diagnose(ENERGIES, scan, SETTINGS)


def test_a_pre_edge_of_one_point_is_not_assessed(model):
    """Its offset taken out, that point is zero without an error."""
    low, high = SETTINGS.pre_edge
    keep = ~((low <= ENERGIES) & (high >= ENERGIES))
    keep[np.flatnonzero(~keep)[0]] = True
    found = diagnose(ENERGIES[keep], only(rows(model, 10), keep), SETTINGS)
    assert np.isfinite(found.shape.change)
    for each in (*found.scatter, *found.halves, found.off_off, found.permuted):
        assert each.ratio > 0 and not each.seen
