"""Photon counter and ion chamber: every reading belongs to the acquisition that has just ended."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import epics
import numpy as np
import pytest

from beamline.station.build import Beamline
from beamline.station.connect import NotConnectedError
from devices.base import counting
from devices.instruments.counter import PhotonCounter
from tests.devices.builds import record, until
from tests.devices.conftest import SOFT, Make

WAIT = 20.0
BUNCH_RATE = 351.933984e6 / 54  # Hz: RF over the buckets from bunch to bunch
NUM_PHASES = 120
VETO = 0.02  # s without gates at each top-up, every 60 s at the most

TIMES = {"fpga": "fpga_elapsed", "i0": "i0_time"}
SOFT_ARRAYS = ("counts", "gates", "pair_gates", "pair_counts", "prev_hits", "coincidences")


def shuffled_presets(number: int) -> list[float]:
    """Preset times in s, none like the one before it."""
    random = np.random.default_rng(5)
    times = np.concatenate([random.permutation([0.1, 0.2, 0.4, 0.8, 1.6]) for _ in range(number)])
    return [float(time) for time in times]


def test_each_reading_is_that_of_its_own_acquisition(sim: Beamline) -> None:
    """Forty acquisitions of changing length, read at once: gates and times show which one they belong to."""
    presets = shuffled_presets(8)
    vetoed = 0
    for preset in presets:
        sim.fpga.preset_time.set(preset).wait(WAIT)
        sim.i0.preset_time.set(preset).wait(WAIT)
        started = [sim.fpga.trigger(), sim.i0.trigger()]
        for status in started:
            status.wait(WAIT)
        fpga = {key: entry["value"] for key, entry in sim.fpga.read().items()}
        i0 = {key: entry["value"] for key, entry in sim.i0.read().items()}
        assert fpga["fpga_elapsed"] == pytest.approx(preset, rel=1e-6)
        assert i0["i0_time"] == pytest.approx(preset, rel=1e-6)
        missing = preset * BUNCH_RATE / NUM_PHASES - fpga["fpga_gates"]
        vetoed += bool(np.any(missing > 1))
        assert np.all(missing > -1)
        assert np.all(missing < 2 + 2 * VETO * BUNCH_RATE / NUM_PHASES)
        assert i0["i0"] / preset == pytest.approx(1e6, rel=0.05)
    assert vetoed < len(presets) / 4  # the first bound above is the one that counts


def test_arrays_of_one_acquisition_agree(sim: Beamline) -> None:
    sim.fpga.preset_time.set(2.0).wait(WAIT)
    sim.fpga.trigger().wait(WAIT)
    read = {key.removeprefix("fpga_"): entry["value"] for key, entry in sim.fpga.read().items()}
    for name in SOFT_ARRAYS:
        assert read[name].dtype == np.int32
        assert read[name].shape == ((NUM_PHASES,) if name in ("counts", "gates") else (5, NUM_PHASES))
        assert read[name].min() >= 0
    assert np.all(read["counts"] <= read["gates"])
    assert read["counts"].sum() > 0
    for lag in range(1, 6):
        pairs = {name: read[name][lag - 1] for name in ("pair_gates", "pair_counts", "prev_hits", "coincidences")}
        earlier = np.roll(read["counts"], lag)  # the hits of the phase that lies `lag` before
        assert np.all(np.abs(read["gates"] - pairs["pair_gates"]) <= 8)  # the first gates have none before them
        assert np.all(np.abs(read["counts"] - pairs["pair_counts"]) <= 8)
        assert np.all(np.abs(earlier - pairs["prev_hits"])[lag:] <= 8)
        assert np.all(pairs["coincidences"] <= np.minimum(pairs["pair_counts"], pairs["prev_hits"]))


@pytest.mark.parametrize("name", ["fpga", "i0"])
def test_a_pause_ends_the_acquisition_and_the_next_is_whole(sim: Beamline, name: str) -> None:
    """An acquisition that went on would answer the trigger after the pause with counts from before it."""
    device = getattr(sim, name)
    device.preset_time.set(400.0).wait(WAIT)  # 2 s of wall time
    status = device.trigger()
    until(lambda: device.go.get() == 1, "it counts")
    device.pause()
    status.wait(WAIT)
    assert device.go.get() == 0
    assert 0 < device.read()[TIMES[name]]["value"] < 400
    device.preset_time.set(1.0).wait(WAIT)
    device.trigger().wait(WAIT)
    assert device.read()[TIMES[name]]["value"] == pytest.approx(1.0, rel=1e-6)


@pytest.mark.parametrize("name", ["fpga", "i0"])
def test_a_pause_without_an_acquisition_changes_nothing(sim: Beamline, name: str) -> None:
    device = getattr(sim, name)
    device.trigger().wait(WAIT)
    before = device.read()
    device.pause()
    after = device.read()
    assert all(np.array_equal(after[key]["value"], before[key]["value"]) for key in before)


@pytest.mark.parametrize("name", ["fpga", "i0"])
def test_unstaging_ends_an_acquisition(sim: Beamline, name: str) -> None:
    device = getattr(sim, name)
    device.preset_time.set(400.0).wait(WAIT)
    device.stage()
    status = device.trigger()
    until(lambda: device.go.get() == 1, "it counts")
    device.unstage()
    status.wait(WAIT)
    assert 0 < device.read()[TIMES[name]]["value"] < 400


def test_a_preset_time_that_the_counter_does_not_take_is_refused(sim: Beamline) -> None:
    with pytest.raises(ValueError, match=r"fpga_preset_time.*0\.001, 3600"):
        sim.fpga.preset_time.set(1e-4)
    assert record("sim:7idd:FPGA1:PresetTime") == sim.fpga.preset_time.get()


def test_a_time_that_the_ticks_of_the_scaler_cannot_hold_is_refused(sim: Beamline) -> None:
    sim.i0.preset_time.check_value(429.0)  # 2**32 ticks of 10 MHz are 429.5 s
    with pytest.raises(
        ValueError, match=r"i0_preset_time: .*scaler1\.TP counts for at most 429\.5 s by a clock of 1e\+07"
    ):
        sim.i0.preset_time.set(430.0)


def test_on_another_server_too_the_arrays_are_there_when_it_is_done(soft: Make) -> None:
    """Its arrays hold the number of the acquisition; 4 bunches and 5 slots make 20 phases."""
    counter = soft(PhotonCounter, "counter:")
    counter.preset_time.set(0.002).wait(WAIT)
    counter.trigger().wait(WAIT)
    first = int(counter.counts.get()[0])
    for number in range(first + 1, first + 30):
        counter.trigger().wait(WAIT)
        read = counter.read()
        for name in SOFT_ARRAYS:
            array = read[f"probe_{name}"]["value"]
            assert array.shape == ((20,) if name in ("counts", "gates") else (5, 20))
            assert array.dtype == np.int32
            assert np.all(array == number), name
    assert counter.describe()["probe_pair_gates"]["shape"] == [5, 20]


def test_gets_are_sent_when_the_count_ends(soft: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another client counts before it is read; replies that have waited for long are requested again."""
    counter = soft(PhotonCounter, "counter:")
    counter.preset_time.set(0.002).wait(WAIT)
    for longest, counts_later in ((60.0, 0), (0.0, 1)):
        monkeypatch.setattr(counting, "LONGEST_WAIT", longest)
        counter.trigger().wait(WAIT)
        until(lambda: counter._count._request is not None, "the gets are sent")
        own = int(counter.counts.get()[0])
        assert epics.caput(counter.acquire.pvname, 1, wait=True, timeout=WAIT) == 1
        assert counter.read()["probe_counts"]["value"][0] == own + counts_later
        assert counter.read()["probe_counts"]["value"][0] == own + 1  # nothing is read twice


def test_answers_of_an_earlier_count_that_come_late_are_not_read(soft: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The question of the first count is sent only while the second is counted."""
    counter = soft(PhotonCounter, "counter:")
    held_back, plain = [], counting.Count.request
    monkeypatch.setattr(counting.Count, "request", lambda count: plain(count) if held_back else held_back.append(count))
    counter.preset_time.set(0.002).wait(WAIT)
    counter.trigger().wait(WAIT)
    own = int(counter.read()["probe_counts"]["value"][0])
    counter.preset_time.set(0.3).wait(WAIT)
    status = counter.trigger()
    plain(held_back[0])
    status.wait(WAIT)
    assert counter.read()["probe_counts"]["value"][0] == own + 1


def test_it_is_read_in_any_thread(sim: Beamline) -> None:
    """A thread without Channel Access of its own too."""
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(sim.fpga.read).result(WAIT)
    assert np.array_equal(read["fpga_counts"]["value"], sim.fpga.read()["fpga_counts"]["value"])


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("counter-floats:", r"counter-floats:Counts is of type double, not an array of integers"),
        ("counter-ragged:", r"counter-ragged:PairGates has 99 elements, not 5 rows"),
        ("counter-texts:", r"counter-texts:Coinc is of type string, not an array of integers"),
    ],
)
def test_a_waveform_of_another_kind_is_refused_when_connecting(soft: Make, place: str, message: str) -> None:
    with pytest.raises(NotConnectedError, match=SOFT + message):
        soft(PhotonCounter, place)


def test_a_waveform_that_sends_less_than_it_announces_is_refused_by_name(soft: Make) -> None:
    """Only a reading can show it."""
    counter = soft(PhotonCounter, "counter-few:")
    with pytest.raises(ValueError, match=SOFT + "counter-few:Gates gave 12 elements of type int32; expected 20 int"):
        counter.read()


def test_shorter_integers_are_taken_as_what_is_described(soft: Make) -> None:
    counter = soft(PhotonCounter, "counter-shorts:")
    array = counter.read()["probe_counts"]["value"]
    assert array.dtype.str == counter.describe()["probe_counts"]["dtype_numpy"]
    assert np.array_equal(array, np.arange(20))
