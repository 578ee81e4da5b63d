"""Configuration: the packaged files, and one clear error line for every fault."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from beamline.config.data_root import place_of
from beamline.config.models import ConfigurationError, load, packaged_names
from beamline.config.reduction_settings import Reduction, reduction_settings
from reduction.settings import Settings
from tests.beamline.config_files import prefixes_text, simulated_text

REAL = "7idd"


def written(tmp_path, text):
    path = tmp_path / "beamline.toml"
    path.write_text(text)
    return path


def devices(config):
    return config.devices.items()


OPTIONAL = {"attenuator", "crystal", "steering", "sweep", "controller", "foil_stage", "lens", "knife", "diode"}
"""Devices that not every beamline has: comments in the real configuration."""


def test_the_old_file_stands_for_the_devices_and_roles_of_the_packaged_one(tmp_path):
    old, packaged = load(written(tmp_path, prefixes_text())).station, load("simulated").station
    assert dict(old.devices) == {
        key: entry for key, entry in packaged.devices.items() if key not in OPTIONAL - {"controller"}
    }
    none = ("attenuator", "second_crystal", "sweep", "i0_gain", "foil_stage", "laser_focus", "knife_diode")
    without = dict.fromkeys(none) | {"laser_steering": (), "knife": ()}
    assert old.roles == packaged.roles.model_copy(update=without)


def texts_of_records(config):
    """Devices, roles and detectors without what the names of simulated records begin with."""
    records = {name: [each.removeprefix("sim:") for each in entry.records.values()] for name, entry in devices(config)}
    return records, config.station.roles, config.detectors, config.checks, config.suspenders


def test_every_packaged_configuration_loads():
    assert packaged_names() == [REAL, "apsu", "khz", "ring328", "simulated", "superxas", "superxas_simulated"]
    assert {load(name).mode for name in ("apsu", "khz", "ring328")} == {"sim"}
    assert texts_of_records(load("superxas_simulated")) == texts_of_records(load("superxas"))
    simulated, real = load("simulated"), load(REAL)
    assert simulated.mode == "sim" and real.mode == "real" and real.clock_rate == 1
    ours = {name: [each.removeprefix("sim:") for each in entry.records.values()] for name, entry in devices(simulated)}
    there = {name: list(entry.records.values()) for name, entry in devices(real)}
    assert {key: records for key, records in ours.items() if key not in OPTIONAL} == there
    assert ours["controller"] == ["7idd:Controller"]


@pytest.mark.parametrize(
    ("old", "new", "phrase"),
    [
        ('mode = "sim"', 'mode = "simulation"', "mode: Input should be 'sim' or 'real'"),
        ('mode = "sim"', 'mode = "real"', "mode is real, but some prefixes begin with 'sim:'"),
        ('"sim:7ida:"', '"7ida:"', "do not begin with 'sim:': mono"),
        ('fpga = "sim:7idd:FPGA1:"', "", "prefixes.fpga: is missing"),
        ('"sim:7idd:FPGA1:"', '"sim:7idd:Laser:"', "the same prefix is used by fpga, laser"),
        ("clock_rate = 1.0", "clock_rate = 0", "clock_rate: Input should be greater than 0"),
        ("[data]", "[data]\nrut = 1", "data.rut: is not a known entry"),
        ("i0_noise = 1e-3", 'i0_noise = "much"', "reduction.i0_noise"),
    ],
)
def test_what_is_wrong_is_named_on_one_line(tmp_path, old, new, phrase):
    with pytest.raises(ConfigurationError) as error:
        load(written(tmp_path, prefixes_text(**{old: new})))
    assert phrase in str(error.value) and "\n" not in str(error.value)


def test_all_that_is_wrong_is_reported_together(tmp_path):
    text = prefixes_text(**{'fpga = "sim:7idd:FPGA1:"': "", "clock_rate = 1.0": "clock_rate = -1\nbogus = 2"})
    with pytest.raises(ConfigurationError) as error:
        load(written(tmp_path, text))
    assert all(phrase in str(error.value) for phrase in ("prefixes.fpga", "clock_rate", "bogus"))


@pytest.mark.parametrize(
    ("replacements", "messages"),
    [
        (
            {
                'fpga = "sim:7idd:FPGA1:"': "",
                '"sim:7idd:Jet:"': '"sim:7idd:Laser:"',
                '"sim:7ida:"\nscaler': '""\nscaler',
            },
            ("prefixes.fpga: is missing", "the same prefix is used by jet, laser", "these prefixes are empty: mono"),
        ),
        (
            {'"sim:7idd:DG1:"': '"7idd:DG1:"', '"sim:7idd:Timing:"': "3", '"sim:7idd:m1"': '"sim:7idd:digDelay1:"'},
            ("prefixes.timing", "do not begin with 'sim:': delay", "the same prefix is used by fine_delay, wave_plate"),
        ),
    ],
)
def test_prefixes_missing_doubled_or_odd_are_reported_together(tmp_path, replacements, messages):
    with pytest.raises(ConfigurationError) as error:
        load(written(tmp_path, prefixes_text(**replacements)))
    assert all(phrase in str(error.value) for phrase in messages), str(error.value)
    assert "\n" not in str(error.value)


def test_what_may_share_a_prefix_may():
    config = load("simulated")
    assert config.devices["stage"].prefix == config.devices["station_server"].prefix
    assert config.devices["mono"].prefix == config.devices["optics_server"].prefix


def test_devices_and_readings_that_the_configuration_lacks_are_reported_together(tmp_path):
    from beamline.station.build import build

    requested = [
        '[[suspenders]]\nsignal = "ringo.current"\nlow = 1\nreason = "a"',
        '[[suspenders]]\nsignal = "ring.kurrent"\nlow = 1\nreason = "b"',
        '[[suspenders]]\nsignal = "ring"\nlow = 1\nreason = "c"',
        '[[checks]]\nkey = "no_such_key"\nlow = 0\nhigh = 1\nreason = "d"',
        '[[checks]]\nkey = "ring_current"\nper = "nor_this"\nlow = 0\nhigh = 1\nreason = "e"',
    ]
    config = load(written(tmp_path, "\n\n".join([simulated_text(), *requested])))
    with pytest.raises(ConfigurationError) as error:
        build(config)
    for phrase in (
        "suspenders: ringo.current: there is no device ringo",
        "suspenders: ring.kurrent: ring has no kurrent",
        "suspenders: ring: ring is a device, not a signal; it has current",
        "checks: no device has the reading no_such_key",
        "checks: no device has the reading nor_this",
    ):
        assert phrase in str(error.value)


def test_missing_files_and_files_that_are_not_toml_are_refused(tmp_path):
    with pytest.raises(
        ConfigurationError, match="no configuration file nowhere; give a path, or one of 7idd, apsu, khz"
    ):
        load("nowhere")
    with pytest.raises(ConfigurationError, match="is not a TOML file"):
        load(written(tmp_path, "= 3"))


def test_the_hash_shows_whether_anything_differs():
    same, other = load("simulated"), load("simulated", clock_rate=2.0)
    assert same.digest() == load("simulated").digest() != other.digest()


def test_the_real_configuration_lists_what_the_simulated_one_lists():
    from importlib.resources import files

    texts = [(files("beamline.config") / "configurations" / f"{name}.toml").read_text() for name in (REAL, "simulated")]
    real, simulated = map(tomllib.loads, texts)
    assert simulated.keys() - real.keys() == {"clock_rate"}
    assert real["devices"].keys() == simulated["devices"].keys() - OPTIONAL
    assert all(f"# [devices.{key}]" in texts[0] for key in OPTIONAL)


def test_bins_of_slots_are_settings_of_the_reduction():
    given = reduction_settings(Reduction(slot_bins="edges", slot_edges=(0, 1e3, 1e6), before_pump=1e6))
    settings = Settings.from_mapping({"pre_edge": [13.45, 13.46], "integral": [13.46, 13.57], **given})
    assert (settings.slot_bins, settings.slot_edges, settings.before_pump) == ("edges", (0.0, 1e3, 1e6), 1e6)
    with pytest.raises(ValueError, match="slot_bins 'linear' needs slot_width"):
        Reduction(slot_bins="linear")
    with pytest.raises(ValueError, match="slot_edges must be two or more ascending times"):
        Reduction(slot_edges=(2.0, 1.0))


def test_a_configuration_at_the_prompt_is_a_screenful_at_most():
    for name in packaged_names():
        config = load(name)
        assert len(repr(config)) < 4 * 80 and config.name in repr(config), repr(config)


@pytest.mark.parametrize("name", packaged_names())
def test_the_place_of_the_data_is_that_of_the_whole_configuration(name: str, tmp_path: Path) -> None:
    data = load(name).data
    assert place_of(name) == (data.root, data.catalogue_address)
    assert place_of(name, tmp_path).root == tmp_path


def test_a_place_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    unknown = '[data]\nroot = "d/{cycel}"'
    cases = {unknown: "{cycel} is not known", "data = 3": "texts in a table", "data": "not a TOML file"}
    for text, phrase in cases.items():
        wrong.write_text(text)
        with pytest.raises(ConfigurationError, match=re.escape(phrase)):
            place_of(wrong)
    with pytest.raises(ConfigurationError, match="no configuration file nowhere"):
        place_of("nowhere")
