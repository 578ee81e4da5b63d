"""What devices, simulator and reduction spell independently, held against each other: record names and data keys."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bluesky import RunEngine
from ophyd import Device
from ophyd.signal import EpicsSignalBase

from beamline.config.models import load
from beamline.station.build import Beamline, build, instruments
from devices.base.settings import Setting
from plans.compilation.quality import Check
from plans.scans.energy import energy_scan
from reduction.documents import raw as reading
from reduction.documents.events import dwell_of
from reduction.documents.patterns import pattern_of
from sim_ioc.physics.truth import ForwardModel
from sim_ioc.scenario.scenario import load_scenario
from tests.beamline.configurations import moved
from tests.devices.builds import Listed, connected_beamline, listed_records, released
from tests.helpers.ioc_process import ROOT, IocPool
from tests.plans.conftest import Documents

SCENARIOS = {"default": 120, "hybrid324": 324, "hybrid": 9}
"""Scenarios and the phases of their patterns: lcm(24, 5), lcm(324, 4) and lcm(9, 9)."""
PHASES, LAGS = "P", 5
SPEEDUP = 200.0
SERVED = {
    "number": {"DOUBLE", "FLOAT"},
    "integer": {"LONG", "INT", "CHAR", "ENUM"},
    "string": {"STRING", "ENUM"},
    "array": {"LONG", "DOUBLE"},
}
"""Types of records that can be read as each type of the documents."""


KINDS = {
    "point_index": "integer",
    "segment": "integer",
    "attempt": "integer",
    "laser_on": "integer",
    "quality": "string",
    "laser_phase": "integer",
    "i0": "number",
    "i0_time": "number",
    "i0_gain": "number",
    "i0_dark": "number",
    "fpga_counts": "array",
    "fpga_gates": "array",
    "fpga_pair_gates": "array",
    "fpga_pair_counts": "array",
    "fpga_prev_hits": "array",
    "fpga_coincidences": "array",
    "timing_num_bunches": "integer",
    "timing_laser_divider": "integer",
    "timing_bunch_rate": "number",
}
"""Types of what the reduction reads."""

UNSERVED = "simunserved:"
RECORD_FIELDS = Path(__file__).parent / "sim_ioc" / "epics_records.toml"

DOCUMENTED = ("mono_energy", "laser_delay", "laser_fluence", "ring_current", "laser_locked")
"""Keys of an event that figures, checks and exports rely on beside the reduction."""


BOXCARS = {
    f"boxcar_box{number}{entry}": unit
    for number in (1, 2)
    for entry, unit in {
        "": "V",
        "_stddev": "V",
        "_spread": "V",
        "_number": None,
        "_overload": None,
        "_window_start": "deg",
    }.items()
}
"""Keys of an event where there are boxcars, and their units."""


# --- records --------------------------------------------------------------------------------------


def wanted(device: Device) -> Iterator[tuple[EpicsSignalBase, str]]:
    """Every record that a device reads, with its signal."""
    for entry in device.walk_signals(include_lazy=True):
        if isinstance(entry.item, EpicsSignalBase):
            for name in sorted(entry.item._connection_states):
                yield entry.item, name


@pytest.fixture(scope="module")
def unconnected() -> Iterator[Beamline]:
    """The devices of the simulated configuration, under a prefix that no server of another test has.

    libca searches ever more rarely for channels that nothing serves, also when a later test starts their server.
    """
    config = load("simulated")
    beamline = build(moved(config, UNSERVED))
    with released(beamline.devices()):
        yield beamline


@pytest.fixture(scope="module")
def records() -> dict[str, Listed]:
    return listed_records(UNSERVED)


def is_field_of_a_motor(name: str, records: dict[str, Listed]) -> bool:
    """Whether it is a field of a motor record; those are served whole, as a test of their own sees to."""
    record, _, field = name.rpartition(".")
    fields = tomllib.loads(RECORD_FIELDS.read_text(encoding="utf-8"))["motor"]["needed"]
    return field in fields and f"{record}.DMOV" in records


def test_every_record_that_a_device_wants_is_served(unconnected: Beamline, records: dict[str, Listed]) -> None:
    names = {name for device in unconnected.devices().values() for _, name in wanted(device)}
    assert len(names) > 30
    assert [name for name in sorted(names - set(records)) if not is_field_of_a_motor(name, records)] == []


def test_what_a_device_sets_can_be_set(unconnected: Beamline, records: dict[str, Listed]) -> None:
    for device in unconnected.devices().values():
        for signal, name in wanted(device):
            if isinstance(signal, Setting) and not is_field_of_a_motor(name, records):
                assert records[name].writable, name
                if signal.use_limits:
                    assert records[name].limits is not None, name


def test_the_real_configuration_has_the_same_records_without_the_prefix(unconnected: Beamline) -> None:
    real = build(load("7idd"))
    with released(real.devices()):
        names = [
            {name.removeprefix(UNSERVED) for key in real.devices() for _, name in wanted(each.devices()[key])}
            for each in (unconnected, real)
        ]
    assert names[0] == names[1]
    comments = (ROOT / "beamline/config/configurations/7idd.toml").read_text()
    assert all(f"# [devices.{key}]" in comments for key in {*unconnected.devices()} - {*real.devices()})
    assert not any(name.startswith("sim:") for name in names[1])


# --- data keys ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ShortRun:
    """A short scan on a simulated beamline: its documents, its devices' records, its phases."""

    documents: Documents
    described: dict[str, Mapping[str, Any]]
    records: dict[str, Listed]
    num_phases: int
    truth: ForwardModel

    @property
    def start(self) -> Mapping[str, Any]:
        return self.documents.all("start")[0]

    @property
    def descriptor(self) -> Mapping[str, Any]:
        (descriptor,) = self.documents.all("descriptor")
        return descriptor


@pytest.fixture(scope="module", params=SCENARIOS)
def short_run(ioc_pool: IocPool, request: pytest.FixtureRequest) -> Iterator[ShortRun]:
    scenario = request.param
    ioc = ioc_pool.start(scenario, SPEEDUP)
    documents = Documents()
    engine = RunEngine({}, context_managers=[])
    engine.subscribe(documents)
    with connected_beamline(ioc.prefix) as beamline:
        checks = tuple(Check(**entry.model_dump()) for entry in load("simulated").checks)
        scan = energy_scan(instruments(beamline, SPEEDUP), energies=[13.46, 13.472], dwell=1.0, checks=checks)
        engine(scan)
        described: dict[str, Mapping[str, Any]] = {}
        for device in beamline.devices().values():
            described |= device.describe() | device.describe_configuration()
        assert beamline.boxcar is not None
        described |= beamline.boxcar.pwa.describe() | beamline.boxcar.pwa.describe_configuration()
    ioc_pool.stop(ioc)
    listed = listed_records(ioc.prefix, "--scenario", scenario)
    yield ShortRun(documents, described, listed, SCENARIOS[scenario], ForwardModel(load_scenario(scenario)))


def shape_in_numbers(shape: tuple[Any, ...], num_phases: int) -> list[int]:
    return [num_phases if side == PHASES else int(side) for side in shape]


def test_records_have_the_types_and_lengths_that_are_described(short_run: ShortRun) -> None:
    compared = 0
    for key, described in short_run.described.items():
        if not described["source"].startswith("PV:"):
            continue
        name = described["source"].removeprefix("PV:")
        if is_field_of_a_motor(name, short_run.records):
            continue
        record = short_run.records[name]
        assert record.type in SERVED[described["dtype"]], key
        if described["dtype"] == "array":
            assert described["dtype_numpy"] == {"LONG": "<i4", "DOUBLE": "<f8"}[record.type], key
        assert record.count == int(np.prod(described["shape"], dtype=int)), key
        compared += 1
    assert compared > 30


def test_events_have_the_keys_that_the_reduction_reads(short_run: ShortRun) -> None:
    keys = short_run.descriptor["data_keys"]
    read = {**reading.EVENT_KEYS, **dict.fromkeys(reading.PAIR_KEYS.values(), (LAGS, PHASES))}
    assert set(read) <= set(KINDS)
    for key, shape in read.items():
        assert keys[key]["shape"] == shape_in_numbers(shape, short_run.num_phases), key
        assert keys[key]["dtype"] == KINDS[key], key
        if shape:
            assert keys[key]["dtype_numpy"] == "<i4", key


def test_events_hold_what_their_descriptor_declares(short_run: ShortRun) -> None:
    for data in short_run.documents.events():
        for key, described in short_run.descriptor["data_keys"].items():
            assert list(np.shape(data[key])) == described["shape"], key
            if described["dtype"] == "array":
                assert data[key].dtype.str == described["dtype_numpy"]


def test_events_have_the_keys_that_checks_and_figures_rely_on(short_run: ShortRun) -> None:
    keys = short_run.descriptor["data_keys"]
    for key in (*DOCUMENTED, *(check.key for check in load("simulated").checks)):
        assert keys[key]["shape"] == [], key
        assert keys[key]["dtype"] in ("number", "integer"), key
    assert keys["mono_energy"]["units"] == "keV"
    assert keys["laser_delay"]["units"] == "ps"
    assert keys["laser_fluence"]["units"] == "mJ/cm2"


def test_boxcars_are_read_in_each_event_with_the_counters(short_run: ShortRun) -> None:
    keys = short_run.descriptor["data_keys"]
    for key, unit in BOXCARS.items():
        assert keys[key]["shape"] == [], key
        assert keys[key].get("units") == unit, key
        assert keys[key]["dtype"] == ("number" if unit else "integer"), key
    assert {key for key in keys if key.startswith("boxcar_")} == {*BOXCARS, "boxcar_elapsed"}
    for data in short_run.documents.events():
        assert data["boxcar_elapsed"] == data["fpga_elapsed"] == data["i0_time"] == 1.0
        assert data["boxcar_box1"] < 0
        assert data["boxcar_box1_stddev"] == data["boxcar_box1_spread"] / np.sqrt(data["boxcar_box1_number"])


def test_configurations_have_the_keys_that_the_reduction_reads(short_run: ShortRun) -> None:
    for device, keys in reading.CONFIGURATION_KEYS.items():
        configuration = short_run.descriptor["configuration"][device]
        for key in keys:
            assert configuration["data_keys"][key]["dtype"] == KINDS[key], key
            assert configuration["data_keys"][key]["shape"] == [], key
            assert configuration["data"][key] > 0, key
    timing = short_run.descriptor["configuration"]["timing"]
    assert timing["data_keys"][reading.LASER_PHASE]["dtype"] == "integer"
    positions = timing["data_keys"][reading.BUNCH_PLACES]
    assert (positions["dtype"], positions["units"]) == ("array", "turns")
    assert positions["shape"] == [len(timing["data"][reading.BUNCH_PLACES])] == [timing["data"]["timing_num_bunches"]]


def test_start_documents_have_the_keys_that_the_reduction_reads(short_run: ShortRun) -> None:
    assert set(reading.START_KEYS) <= set(short_run.start)
    about = {"cycle", "proposal", "users", "sample", "beamline_name", "configuration_hash", "pv_map"}
    from_session = {"mode", "t0", "detectors", *about}  # put there by the session, for all its plans
    of_other_scans = {"probe_energy", "series", "imported"}  # at one energy, several scans in one, files of others
    assert set(reading.HANDED_ON) - from_session - of_other_scans <= set(short_run.start)


def test_the_reduction_reads_what_the_plan_writes(short_run: ShortRun) -> None:
    """Through the reduction's own reader, with numbers known from elsewhere."""
    run = reading.raw_run(short_run.start)
    pattern = pattern_of(short_run.descriptor)
    assert run.grid.tolist() == [13.46, 13.472]
    assert pattern.num_phases == short_run.num_phases
    assert pattern.bunch_rate == pytest.approx(351.933984e6 / 1296 * pattern.num_bunches, rel=1e-6)
    assert pattern.evenly_spaced == (short_run.truth.num_bunches != 9)
    np.testing.assert_allclose(pattern.probe_delays(1e4), short_run.truth.slot_delays_ps(1e4), atol=0.1)
    for number, event in enumerate(short_run.documents.all("event")):
        dwell = dwell_of(event, run, pattern)
        assert (dwell.point, dwell.segment) == divmod(number, 4)
        assert dwell.laser_on == (number % 4 in (0, 3))
        assert dwell.fault() is None
        assert dwell.hits.tolist() == event["data"]["fpga_counts"].tolist()
