"""Boxcars and waveform analyser: readings of their own acquisition, errors, trace, stock bluesky."""

from __future__ import annotations

import math

import bluesky.plans as bp
import numpy as np
import pytest
from bluesky import RunEngine
from bluesky.callbacks import LiveTable

from beamline.station.build import Beamline, build, instruments
from beamline.station.connect import NotConnectedError
from devices.base.health import problems
from devices.instruments.boxcar import Boxcar, WaveformAnalyser, error_of_mean
from tests.beamline.configurations import without
from tests.devices.builds import configuration, record, released
from tests.devices.conftest import SOFT, Make
from tests.devices.test_stock_bluesky import Documents, table_rows

WAIT = 20.0
LASER_HZ = 351.933984e6 / 270


@pytest.fixture
def boxcar(sim: Beamline) -> Boxcar:
    assert sim.boxcar is not None
    return sim.boxcar


def values(boxcar: Boxcar) -> dict[str, float]:
    return {key.removeprefix("boxcar_"): entry["value"] for key, entry in boxcar.read().items()}


def test_each_reading_is_that_of_its_own_acquisition(boxcar: Boxcar) -> None:
    periods = boxcar.box1.periods.get()
    for preset in (1.0, 0.2, 0.6, 0.4, 1.6, 0.2, 0.8):
        boxcar.preset_time.set(preset).wait(WAIT)
        boxcar.trigger().wait(WAIT)
        read = values(boxcar)
        assert read["elapsed"] == preset
        assert read["box1_number"] == read["box2_number"] == math.floor(preset * LASER_HZ / periods)
        assert read["box1_stddev"] == read["box1_spread"] / math.sqrt(read["box1_number"])
        assert read["box1"] < -5 * read["box1_stddev"]
        assert read["box1_overload"] == 0


def test_it_covers_the_time_of_the_counters(sim: Beamline, boxcar: Boxcar, engine: RunEngine) -> None:
    """Triggered together, each reports the same beamline time."""
    documents = Documents()
    engine.subscribe(documents)
    for counter in (sim.fpga, sim.i0, boxcar):
        counter.preset_time.set(2.0).wait(WAIT)
    engine(bp.count([sim.fpga, sim.i0, boxcar], num=3), LiveTable(["i0", "boxcar_box1", "boxcar_box2"]))
    for data in documents.data():
        assert data["boxcar_elapsed"] == data["fpga_elapsed"] == 2.0
        assert data["i0_time"] == pytest.approx(2.0)
    first, second = ([data["boxcar_box1"] for data in documents.data()][i] for i in (0, 1))
    assert first != second


def test_hints_are_the_two_values(boxcar: Boxcar, engine: RunEngine, capsys: pytest.CaptureFixture[str]) -> None:
    assert boxcar.hints == {"fields": ["boxcar_box1", "boxcar_box2"]}
    boxcar.preset_time.set(0.2).wait(WAIT)
    engine(bp.count([boxcar]), LiveTable(boxcar.hints["fields"]))
    rows = table_rows(capsys.readouterr().out)
    assert rows[0][2:] == ["boxcar_box1", "boxcar_box2"]
    assert all(float(cell) < 0 for cell in rows[1][2:])


def test_a_window_can_be_scanned_over_a_pulse(
    boxcar: Boxcar, engine: RunEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    """The window is as long as the pulse: off it, half way on, right on it."""
    documents = Documents()
    engine.subscribe(documents)
    on = boxcar.box1.window_start.get()
    boxcar.preset_time.set(2.0).wait(WAIT)
    degrees_a_pulse = boxcar.box1.window_size.get() * boxcar.frequency.get() * 360
    table = LiveTable(["boxcar_box1_window_start", "boxcar_box1"])
    try:
        engine(bp.list_scan([boxcar], boxcar.box1.window_start, [0.0, on - 0.5 * degrees_a_pulse, on]), table)
    finally:
        boxcar.box1.window_start.set(on).wait(WAIT)
    off, half, whole = (data["boxcar_box1"] for data in documents.data())
    error = documents.data()[0]["boxcar_box1_stddev"]
    assert abs(off) < 6 * error
    assert half == pytest.approx(0.5 * whole, rel=0.35)  # the jet changes slowly, the clock runs fast
    assert documents.data()[2]["boxcar_box1_window_start"] == pytest.approx(on)
    assert "boxcar_box1_window_start" in table_rows(capsys.readouterr().out)[0]


def test_the_trace_is_read_by_itself(sim: Beamline, boxcar: Boxcar, engine: RunEngine) -> None:
    documents = Documents()
    engine.subscribe(documents)
    boxcar.preset_time.set(1.0).wait(WAIT)
    engine(bp.count([boxcar.pwa]))
    (data,) = documents.data()
    (descriptor,) = [doc for name, doc in documents.seen if name == "descriptor"]
    assert descriptor["data_keys"]["boxcar_pwa"]["dtype_numpy"] == "<f8"
    assert descriptor["data_keys"]["boxcar_pwa"]["units"] == "V"
    axis = np.asarray(descriptor["configuration"]["boxcar_pwa"]["data"]["boxcar_pwa_phase"])
    trace = data["boxcar_pwa"]
    assert trace.shape == axis.shape == (1024,)
    assert data["boxcar_pwa_number"] == math.floor(LASER_HZ)
    level = trace.max() - 0.5 * np.ptp(trace)
    assert np.count_nonzero((trace[1:] < level) & (trace[:-1] >= level)) == 5
    # where the first window stands, there is the first pulse
    start, size = boxcar.box1.window_start.get(), boxcar.box1.window_size.get() * boxcar.frequency.get() * 360
    inside = (axis >= start) & (axis < start + size)
    assert trace[inside].mean() < trace.max() - 0.4 * np.ptp(trace)  # the mean of sin^2 is a half
    assert "boxcar_pwa" not in boxcar.describe()


def test_settings_are_limited_and_have_units(boxcar: Boxcar) -> None:
    described = boxcar.describe_configuration() | boxcar.describe()
    assert described["boxcar_box1_window_start"]["units"] == "deg"
    assert described["boxcar_box2_window_size"]["units"] == "s"
    assert described["boxcar_box2_window_start"]["upper_ctrl_limit"] == 360.0
    before = record("sim:7idd:UHF:BOX1:WindowStart")
    with pytest.raises(ValueError, match=r"boxcar_box1_window_start.*360"):
        boxcar.box1.window_start.set(361.0)
    assert record("sim:7idd:UHF:BOX1:WindowStart") == before


def test_a_pause_ends_the_acquisition(boxcar: Boxcar) -> None:
    boxcar.preset_time.set(400.0).wait(WAIT)
    status = boxcar.trigger()
    boxcar.pause()
    status.wait(WAIT)
    assert 0 <= boxcar.elapsed.get() < 400
    boxcar.preset_time.set(1.0).wait(WAIT)


def test_errors_of_no_samples_are_no_number() -> None:
    assert math.isnan(error_of_mean(1.0, 0))
    assert error_of_mean(2.0, 16) == 0.5


def test_without_boxcar_and_apd_a_beamline_has_the_counters_alone() -> None:
    beamline = build(without(configuration(), "boxcar", "apd"))
    with released(beamline.devices()):
        assert "boxcar" not in beamline.devices()
        assert [counter.name for counter in instruments(beamline, 1.0).counters] == ["fpga", "i0"]
        assert "apd" not in [device.name for device in instruments(beamline, 1.0).readables]


def test_on_another_server_too_the_readings_are_there_when_it_is_done(soft: Make) -> None:
    """Its values hold the number of the acquisition."""
    boxcar = soft(Boxcar, "uhf:")
    for number in range(1, 20):
        boxcar.trigger().wait(WAIT)
        read = {key: entry["value"] for key, entry in boxcar.read().items()}
        assert read["probe_box1"] == -number
        assert read["probe_box2"] == -number / 2
        assert read["probe_box1_number"] == number
        assert read["probe_box1_stddev"] == pytest.approx(1 / math.sqrt(number))
        assert boxcar.pwa.trace.get() == pytest.approx(np.full(64, -number))
    assert boxcar.complaints() == []


def test_clipped_pulses_are_reported_by_the_record(soft: Make) -> None:
    boxcar = soft(Boxcar, "uhf-clipped:")
    message = f"{SOFT}uhf-clipped:BOX2:Overload_RBV reports clipped pulses"
    assert boxcar.complaints() == [message]
    assert f"probe: {message}" in problems(boxcar)


def test_a_trace_of_another_kind_is_named(soft: Make) -> None:
    message = f"{SOFT}uhf-texts:PWA:Waveform is of type string, not an array of numbers"
    with pytest.raises(NotConnectedError, match=message):
        soft(WaveformAnalyser, "uhf-texts:PWA:")
