"""Self-description of every device, over real Channel Access: descriptions, readings, units, limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from beamline.station.build import Beamline, instruments
from tests.devices.builds import DEVICES, Listed, listed_records

Description = Mapping[str, Mapping[str, Any]]

KINDS = {"number": "f", "integer": "iu", "string": "U", "boolean": "b", "array": "iufb"}

UNITS = {
    "mono_energy": "keV",
    "mono_setpoint": "keV",
    "mono_tolerance": "keV",
    "i0": "counts",
    "i0_time": "s",
    "i0_gain": "V/A",
    "i0_dark": "counts/s",
    "i0_preset_time": "s",
    "i0_frequency": "Hz",
    "fpga_counts": "counts",
    "fpga_gates": "counts",
    "fpga_elapsed": "s",
    "fpga_preset_time": "s",
    "apd_bias": "V",
    "apd_temperature": "degC",
    "apd_threshold": "mV",
    "boxcar_box1": "V",
    "boxcar_box1_stddev": "V",
    "boxcar_box2_spread": "V",
    "boxcar_box1_window_start": "deg",
    "boxcar_box1_window_size": "s",
    "boxcar_elapsed": "s",
    "boxcar_frequency": "Hz",
    "laser_lock_error": "ps",
    "laser_pulse_energy": "uJ",
    "laser_fluence": "mJ/cm2",
    "laser_repetition_rate": "Hz",
    "laser_fluence_spot_width": "um",
    "laser_fluence_angle": "deg",
    "laser_fluence_full_energy": "uJ",
    "mono_calibration_offset": "keV",
    "jet_flow": "mL/min",
    "stage_across": "mm",
    "laser_delay": "ps",
    "laser_delay_generator": "s",
    "laser_delay_fine": "ps",
    "laser_delay_t0": "s",
    "timing_rf_frequency": "Hz",
    "timing_bunch_rate": "Hz",
    "ring_current": "mA",
}
"""Units of the documents, by the specification of the documents."""


@pytest.fixture(scope="module")
def records() -> dict[str, Listed]:
    return listed_records("sim:")


def fits(value: Any, described: Mapping[str, Any]) -> bool:
    """Whether a value has the shape and the type of its description."""
    array = np.asarray(value)
    promised = np.dtype(described["dtype_numpy"])
    if list(array.shape) != described["shape"] or array.dtype.kind not in KINDS[described["dtype"]]:
        return False
    if described["dtype"] == "array":
        return array.dtype == promised
    return bool(np.can_cast(array.dtype, promised, "safe"))


def both(device: Any) -> list[tuple[Description, Description]]:
    return [
        (device.describe(), device.read()),
        (device.describe_configuration(), device.read_configuration()),
    ]


@pytest.mark.parametrize("name", DEVICES)
def test_readings_match_the_description(sim: Beamline, name: str) -> None:
    for description, reading in both(sim.devices()[name]):
        assert list(reading) == list(description)
        for key, described in description.items():
            assert fits(reading[key]["value"], described), (key, described, reading[key])
            assert reading[key]["timestamp"] > 0


@pytest.mark.parametrize("name", DEVICES)
def test_descriptions_are_plain_and_whole(sim: Beamline, name: str) -> None:
    for description, _ in both(sim.devices()[name]):
        for key, described in description.items():
            assert {"source", "dtype", "shape", "dtype_numpy"} <= set(described), key
            assert described["dtype"] in KINDS
            assert np.dtype(described["dtype_numpy"]).kind in KINDS[described["dtype"]]
            assert (described["dtype"] == "array") == bool(described["shape"])
            assert all(type(entry) in (str, int, float, list) for entry in described.values()), described
            assert described.get("units") != ""


@pytest.mark.parametrize("name", DEVICES)
def test_values_lie_within_the_limits_that_are_described(sim: Beamline, name: str) -> None:
    for description, reading in both(sim.devices()[name]):
        for key, described in description.items():
            if "lower_ctrl_limit" in described or "upper_ctrl_limit" in described:
                low, high = described["lower_ctrl_limit"], described["upper_ctrl_limit"]
                assert low < high, key
                assert low <= reading[key]["value"] <= high, key


@pytest.mark.parametrize("name", DEVICES)
def test_units_and_limits_are_those_of_the_records(sim: Beamline, records: dict[str, Listed], name: str) -> None:
    device = sim.devices()[name]
    compared = 0
    for description, _ in both(device):
        for key, described in description.items():
            record = records.get(described["source"].removeprefix("PV:"))
            if record is None:
                continue
            compared += 1
            if record.unit:
                assert described["units"] == record.unit, key
            is_field = "." in described["source"]  # fields of a scaler have no limits over Channel Access
            if record.limits and not is_field:
                expected_sentence = described["lower_ctrl_limit"], described["upper_ctrl_limit"]
                assert expected_sentence == pytest.approx(record.limits, rel=1e-4)
            elif not record.limits:
                assert "lower_ctrl_limit" not in described
            assert ("precision" in described) == (record.type == "DOUBLE"), key
    assert compared > 0 or name in ("scan_state", "controller", "optics_put_log", "station_put_log")


@pytest.mark.parametrize("key", UNITS)
def test_units_are_those_of_the_documents(sim: Beamline, key: str) -> None:
    described = {}
    for device in sim.devices().values():
        described |= device.describe() | device.describe_configuration()
    assert described[key]["units"] == UNITS[key]


def test_counter_arrays_are_integers_of_32_bits_by_phase(sim: Beamline) -> None:
    description = sim.fpga.describe()
    for key, shape in {
        "fpga_counts": [120],
        "fpga_gates": [120],
        "fpga_pair_gates": [5, 120],
        "fpga_pair_counts": [5, 120],
        "fpga_prev_hits": [5, 120],
        "fpga_coincidences": [5, 120],
    }.items():
        assert (description[key]["shape"], description[key]["dtype_numpy"]) == (shape, "<i4")


def test_place_in_the_scan_has_no_device_name(sim: Beamline) -> None:
    assert set(sim.scan_state.describe()) == {"point_index", "segment", "attempt", "laser_on", "quality"}
    assert "laser_phase" in sim.fpga.describe()


def test_a_long_reason_fits_the_quality(sim: Beamline) -> None:
    """Every number of an event not a number, and every check failed."""
    numbers = [
        key
        for device in instruments(sim, 200.0).read_in_a_dwell()
        for key, entry in device.describe().items()
        if entry["dtype"] == "number"
    ]
    worst = "; ".join([*(f"{key} is not a number" for key in numbers), "beam lost", "laser unlocked"])
    sim.scan_state.quality.put(worst)
    assert fits(sim.scan_state.read()["quality"]["value"], sim.scan_state.describe()["quality"])
    sim.scan_state.quality.put("good")


@pytest.mark.parametrize(
    "name", [name for name in DEVICES if not name.endswith(("put_log", "controller"))]
)  # read nothing
def test_reading_follows_the_kinds(sim: Beamline, name: str) -> None:
    """What is left out of the description is left out of the reading, and comes back."""
    device = sim.devices()[name]
    attribute = device.read_attrs[-1]
    signal = getattr(device, attribute)
    kind = signal.kind
    try:
        signal.kind = "omitted"
        assert signal.name not in device.read()
        assert list(device.read()) == list(device.describe())
    finally:
        signal.kind = kind
    assert signal.name in device.read()


def test_no_two_devices_use_the_same_data_key(sim: Beamline) -> None:
    """A sweep has the intensity of its frames in place of I0, which is then not read."""
    devices = sim.devices()
    keys = {name: {*device.describe(), *device.describe_configuration()} for name, device in devices.items()}
    assert keys["sweep"] & keys["i0"] == {"i0", "i0_time"}
    keys["sweep"] -= keys["i0"]
    assert len(set().union(*keys.values())) == sum(map(len, keys.values()))


def test_a_soft_signal_keeps_the_kind_that_it_began_with() -> None:
    """A descriptor is made once, after any `mv` of a whole number; the events after it are real."""
    from devices.base.signals import SoftSignal

    signal, phrase = SoftSignal(name="t0", value=1.5), SoftSignal(name="folder", value="")
    before = signal.describe()
    for value in (2, np.int32(3), np.float32(0.5)):
        signal.set(value)
        assert type(signal.get()) is float and signal.get() == value
        assert signal.describe() == before
    for wrong in ("2.0", True, None, [1.0]):
        with pytest.raises(ValueError, match="t0"):
            signal.set(wrong)
    with pytest.raises(ValueError, match="folder"):
        phrase.put(7)
    assert signal.get() == 0.5 and phrase.get() == ""
