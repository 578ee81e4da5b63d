"""Pair counters from documents to a spectrum: what is read, refused and noted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reduction.counting.accumulate import CountingAccumulator
from reduction.counting.dwell import Dwell
from reduction.counting.pairs import Pairs
from reduction.counting.phases import Pattern
from reduction.documents.events import dwell_of
from reduction.documents.patterns import pattern_of
from reduction.documents.raw import EVENT_KEYS, PAIR_KEYS, DocumentError, raw_run
from reduction.errors import ReductionError
from reduction.live.reducer import LiveReducer
from reduction.settings import Settings
from reduction.spectra.spectrum import reduce_spectrum
from sim_ioc.physics.photons import sample_pairs
from tests.reduction.scans import ENERGIES, SEGMENTS, SETTINGS, pattern, photons, scenario_model

MODEL = scenario_model(sample={"mu_white_line": 0.8}, jet={"thickness_rms": 0.0, "pass_to_pass_rms": 0.0})
GATES = 60_000
TRUE_FLUX = 0.15


def counts_of(afterpulse=0.02, blinding=0.3, seed=1):
    light = photons(MODEL)  # E, segments, P
    return sample_pairs(
        np.random.default_rng(seed), light, np.full(light.shape[:2], GATES), afterpulse, blinding
    )  # fmt: skip


COUNTS = counts_of()


def pairs_at(counts, point, segment):
    return Pairs(
        *(a[point, segment] for a in (counts.pair_gates, counts.pair_counts, counts.prev_hits, counts.coinc))
    )  # fmt: skip


def dwell_at(counts, point, segment, pairs=True, scan="a"):
    return Dwell(
        scan, point, segment, 0, bool(SEGMENTS[segment]), "good", TRUE_FLUX,
        counts.counts[point, segment], counts.gates[point, segment], MODEL.laser_phase,
        pairs_at(counts, point, segment) if pairs else None,
    )  # fmt: skip


def accumulated(counts=COUNTS, after_effects=True, pairs=True):
    sums = CountingAccumulator(pattern(MODEL), ENERGIES.size, 1e-3, after_effects=after_effects)
    for point in range(ENERGIES.size):
        for segment in range(4):
            sums.add(dwell_at(counts, point, segment, pairs))
    return sums


def rates_without_noise():
    """Slot rates (2, S, E) of the truth in plain numpy."""
    light = photons(MODEL)
    slot = (np.arange(MODEL.num_phases) - MODEL.laser_phase) % MODEL.divider
    by_slot = np.stack([light[:, :, slot == s].mean(axis=2) for s in range(MODEL.divider)], axis=2)
    return np.stack([by_slot[:, 1], by_slot[:, 0]]).transpose(0, 2, 1) / TRUE_FLUX


def pulls(result):
    """Pulls of all rates by counting alone: the flux has no noise here."""
    rows = result.rows
    variance = np.stack([rows.slot_var[:, [1, 2]].sum(axis=1), rows.slot_var[:, [0, 3]].sum(axis=1)]) / 4
    return (result.rate - rates_without_noise()) / np.sqrt(variance.transpose(0, 2, 1)) * TRUE_FLUX


def test_the_accumulator_takes_after_effects_out_of_every_slot():
    corrected, as_counted = accumulated().result(), accumulated(after_effects=False).result()
    assert np.abs(pulls(as_counted)).min() > 5
    found = pulls(corrected)
    assert found.std() < 1.6 and abs(found.mean()) < 1.5  # afterpulses and blinding move all rates together
    effects = corrected.pairs.effects
    error = np.sqrt(np.diagonal(effects.covariance))
    assert abs(effects.afterpulse - 0.02) < 5 * error[0] and abs(effects.beta - 0.7) < 5 * error[1]
    assert abs(corrected.pairs.check) < 5 * corrected.pairs.check_stddev
    shift = corrected.rows.slot_shift
    assert shift.shape == (ENERGIES.size, 4, 5, 2) and np.abs(shift).max() > 0


def test_the_errors_of_the_two_parameters_are_in_the_spectrum():
    """They move all slots and energies of a scan together, so they show between energies where counting does not."""
    rates = accumulated().result()
    spectrum = reduce_spectrum(ENERGIES, rates, SETTINGS)
    still = replace(rates, rows=replace(rates.rows, slot_shift=0 * rates.rows.slot_shift))
    without = reduce_spectrum(ENERGIES, still, SETTINGS)
    assert (spectrum.on_stddev > without.on_stddev).all()
    assert (np.abs(spectrum.transient_slot_covariance - without.transient_slot_covariance) > 0).any()
    np.testing.assert_allclose(spectrum.transient_stddev, without.transient_stddev, rtol=0.05)


def test_the_spectrum_holds_the_results_of_the_pairs():
    on = reduce_spectrum(ENERGIES, accumulated().result(), SETTINGS)
    assert on.dead_time_flag.all() and "valid only if photons that are not recorded" in str(on.notes)
    assert "lag 2 agrees with this" in str(on.notes)
    off = reduce_spectrum(ENERGIES, accumulated(after_effects=False).result(), SETTINGS)
    assert "set after_effects" in str(off.notes) and np.isnan(off.after_effects).all()
    np.testing.assert_array_equal(off.after_effects_departure, on.after_effects_departure)
    clean = reduce_spectrum(ENERGIES, accumulated(counts_of(1e-4, 0.0), False).result(), SETTINGS)
    assert not clean.notes and not clean.dead_time_flag.any()
    none = reduce_spectrum(ENERGIES, accumulated(after_effects=False, pairs=False).result(), SETTINGS)
    assert np.isnan(none.after_effects_departure).all() and not none.notes


def test_merged_passes_keep_their_pairs():
    counts = counts_of(seed=2)
    whole, part = accumulated(), CountingAccumulator(pattern(MODEL), ENERGIES.size, 1e-3, after_effects=True)
    for point in range(ENERGIES.size):
        for segment in range(4):
            whole.add(dwell_at(counts, point, segment, scan="b"))
            part.add(dwell_at(counts, point, segment, scan="b"))
    merged = accumulated()
    merged.merge(part)
    one, other = merged.result(), whole.result()
    np.testing.assert_array_equal(one.rate, other.rate)
    assert one.pairs.effects.beta == other.pairs.effects.beta


def test_a_saturated_bunch_stays_out_of_the_fit_and_of_all_slots():
    sums = accumulated()
    full = dwell_at(COUNTS, 3, 3)
    hits = full.hits.copy()
    hits[31] = full.gates[31]  # bunch 7
    sums.add(replace(full, hits=hits))
    result = sums.result()
    assert np.flatnonzero(result.bunches_out).tolist() == [7]
    assert result.pairs.effects.beta == pytest.approx(0.7, abs=0.02)
    assert np.isfinite(result.rate).all()


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        (None, "no pair counters"),
        ({"coincidences": 10**9}, "more coincidences than hits"),
        ({"hits": GATES + 1, "previous_hits": GATES}, "more hits than gates"),
        ({"previous_hits": -1}, "out of range"),
        ({"gates": 2**40}, "out of range"),
    ],
)
def test_pair_counters_that_cannot_be_right_are_a_fault_where_they_are_needed(change, phrase):
    dwell = dwell_at(COUNTS, 0, 3)
    pairs = None
    if change is not None:
        arrays = {
            name: getattr(dwell.pairs, name).copy() for name in ("gates", "hits", "previous_hits", "coincidences")
        }
        for name, value in change.items():
            arrays[name][0, 5] = value
        pairs = Pairs(**arrays)
    bad = replace(dwell, pairs=pairs)
    needed = accumulated()
    update = needed.add(bad)
    assert phrase in update.fault and needed.dwells_at(0) == (2, 1)
    assert np.isfinite(needed.result().rate).all()
    unneeded = accumulated(after_effects=False)
    assert unneeded.add(bad).fault is None and unneeded.dwells_at(0) == (2, 2)


def test_too_few_hits_give_no_spectrum_but_the_reason():
    sums = CountingAccumulator(Pattern(24, 5, 0, 6.5e6), 1, 1e-3, after_effects=True)
    zero = np.zeros((5, 120), np.int64)
    for segment, laser in enumerate((True, False)):
        counts = np.ones(120, np.int64)
        pairs = Pairs(zero + 1000, zero + 1, zero + 1, zero)
        sums.add(Dwell("a", 0, segment, 0, laser, "good", 0.1, counts, counts * 1000, 0, pairs))
    with pytest.raises(ReductionError, match="too few coincidences to determine after-effects"):
        sums.result()


# Documents


def start_document(**settings):
    return {
        "uid": "raw", "time": 0.0, "scan_set": "set", "scan_index": 0, "grid": ENERGIES.tolist(),
        "pattern": list(SEGMENTS), "edge": "Br_K", "pump_delay": 100.0,
        "settings": {**SETTINGS.to_mapping(), **settings},
    }  # fmt: skip


def descriptor(pairs=True, lags=5):
    keys = {key: {"shape": [120] if shape else []} for key, shape in EVENT_KEYS.items()}
    if pairs:
        keys |= {key: {"shape": [lags, 120]} for key in PAIR_KEYS.values()}
    timing = {"timing_num_bunches": 24, "timing_laser_divider": 5, "timing_bunch_rate": MODEL.bunch_rate_hz}
    return {
        "uid": "primary", "name": "primary", "run_start": "raw", "data_keys": keys,
        "configuration": {"timing": {"data": timing}},
    }  # fmt: skip


def event(point, segment, pairs=True):
    i0_time = 1.0
    data = {
        "point_index": point, "segment": segment, "attempt": 0, "laser_on": SEGMENTS[segment], "quality": "good",
        "laser_phase": MODEL.laser_phase, "i0": TRUE_FLUX * MODEL.bunch_rate_hz * i0_time, "i0_time": i0_time,
        "i0_gain": 1.0, "i0_dark": 0.0, "fpga_counts": COUNTS.counts[point, segment],
        "fpga_gates": COUNTS.gates[point, segment],
    }  # fmt: skip
    if pairs:
        of_dwell = pairs_at(COUNTS, point, segment)
        data |= {key: getattr(of_dwell, name).astype(np.int32) for name, key in PAIR_KEYS.items()}
    return {"descriptor": "primary", "seq_num": 1, "data": data}


def reduced(start, describe, events):
    documents = []
    reducer = LiveReducer(lambda name, doc: documents.append((name, doc)))
    reducer("start", start)
    reducer("descriptor", describe)
    for one in events:
        reducer("event", one)
    reducer("stop", {"run_start": "raw", "exit_status": "success"})
    return documents


def test_a_scan_by_documents_gives_the_accumulators_numbers():
    events = [event(point, segment) for point in range(ENERGIES.size) for segment in range(4)]
    documents = reduced(start_document(after_effects=True), descriptor(), events)
    assert documents[-1][1]["exit_status"] == "success"
    (data,) = [doc["data"] for name, doc in documents if name == "event" and "transient" in doc["data"]]
    direct = reduce_spectrum(ENERGIES, accumulated().result(), SETTINGS)
    np.testing.assert_allclose(data["transient"], direct.transient, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(data["after_effects"], direct.after_effects)
    (keys,) = [doc["data_keys"] for name, doc in documents if name == "descriptor" and doc["name"] == "spectrum"]
    for key, value in data.items():
        shape = list(np.shape(value))
        assert keys[key]["shape"] == shape, key
    assert int(keys["notes"]["dtype_numpy"][2:]) >= len(data["notes"]) > 0


def test_documents_without_pairs_are_refused_before_the_first_event_where_they_are_needed():
    with pytest.raises(DocumentError, match=r"lacks fpga_pair_gates, fpga_pair_counts.*turn after_effects off"):
        reduced(start_document(after_effects=True), descriptor(pairs=False), [])
    events = [event(point, segment, pairs=False) for point in range(ENERGIES.size) for segment in range(4)]
    documents = reduced(start_document(), descriptor(pairs=False), events)
    assert documents[-1][1]["exit_status"] == "success"


@pytest.mark.parametrize(
    ("key", "value", "phrase"),
    [
        ("fpga_coincidences", np.zeros(120, np.int32), r"fpga_coincidences is int32 of shape \(120,\)"),
        ("fpga_prev_hits", np.zeros((5, 96), np.int32), r"shape \(5, 96\), not integers of shape \(lags, 120\)"),
        ("fpga_pair_counts", np.zeros((4, 120), np.int32), r"fpga_pair_counts is int32 of shape \(4, 120\)"),
        ("fpga_pair_gates", np.zeros((5, 120)), "fpga_pair_gates is float64"),
    ],
)
def test_pair_counters_of_another_shape_are_refused_by_name(key, value, phrase):
    run, of = raw_run(start_document()), pattern_of(descriptor())
    bad = event(0, 0)
    bad["data"][key] = value
    with pytest.raises(DocumentError, match=phrase):
        dwell_of(bad, run, of)
    del bad["data"][key]
    assert dwell_of(bad, run, of).pairs is None
    with pytest.raises(DocumentError, match=f"lacks '{key}'"):
        dwell_of(bad, raw_run(start_document(after_effects=True)), of)


@pytest.mark.parametrize("delay", [float("nan"), "100 ps", None])
def test_a_pump_delay_that_is_no_number_is_refused(delay):
    with pytest.raises(DocumentError, match=r"pump_delay is .*, not a number of ps"):
        raw_run({**start_document(), "pump_delay": delay})


def test_the_switch_is_a_boolean():
    with pytest.raises(ValueError, match="after_effects must be true or false"):
        Settings.from_mapping({**SETTINGS.to_mapping(), "after_effects": 1})
    assert Settings.from_mapping(SETTINGS.to_mapping()).after_effects is False


def test_a_second_attempt_takes_the_place_of_the_first_ones_pairs():
    sums = accumulated()
    before = sums.result().pairs.correlation.departure
    rejected = dwell_at(COUNTS, 2, 3)
    sums.add(replace(rejected, quality="beam lost"))
    assert sums.result().pairs.correlation.departure[2] != before[2]
    sums.add(rejected)
    np.testing.assert_array_equal(sums.result().pairs.correlation.departure, before)
