"""Tables [detectors.NAME]: what start documents say of them, and what is refused, by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from beamline.config.models import ConfigurationError, load
from beamline.station.build import build
from beamline.station.detectors import detector_entries
from tests.beamline.station_files import load_station

TWO = """
[detectors.front]
kind = "counter"
device = "apd1"
saturation = 0.9

[detectors.back]
kind = "counter"
device = "apd2"
"""
DIODE = """
[devices.it]
class = "scaler_channel"
prefix = "sim:7idd:scaler1"
channel = 3

[detectors.front]
kind = "counter"
device = "apd1"

[detectors.diode]
kind = "transmission"
device = "it"
"""
FOIL = DIODE.replace('"transmission"', '"foil"')


def test_counters_without_entries_are_detectors_by_the_names_of_their_devices(tmp_path: Path) -> None:
    beamline = build(load_station(tmp_path, "apsu"))
    assert detector_entries({}, beamline) == {
        "apd1": {"kind": "counter", "device": "apd1"},
        "apd2": {"kind": "counter", "device": "apd2"},
    }
    assert detector_entries({}, build(load("simulated"))) == {}


def test_entries_reach_the_start_document_without_their_defaults(tmp_path: Path) -> None:
    config = load_station(tmp_path, "apsu", more=TWO)
    assert detector_entries(config.detectors, build(config)) == {
        "front": {"kind": "counter", "device": "apd1", "saturation": 0.9},
        "back": {"kind": "counter", "device": "apd2"},
    }


def test_a_foil_of_any_edge_has_its_energy_from_the_tables(tmp_path: Path) -> None:
    read = {'readables = ["laser", "ring", "jet"]': 'readables = ["laser", "ring", "jet", "it"]'}
    for edge, e0 in (("Fe_K", 7.112), ("Br_K", None)):  # the reduction has its own table of the latter
        config = load_station(tmp_path, "apsu", more=FOIL + f'edge = "{edge}"', **read)
        assert detector_entries(config.detectors, build(config))["diode"].get("e0") == e0


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            TWO.replace('"apd2"', '"apd9"'),
            r"detectors.back.device: there is no device apd9; write \[devices.apd9\], or",
        ),
        (TWO.replace('"apd2"', '"apd1"'), "detectors.back: apd1 is detector front already; remove one of them"),
        (TWO.replace('kind = "counter"', 'kind = "foil"'), "detectors: none of them is of kind counter"),
        (TWO.replace('"counter"', '"camera"', 1), "detectors.front.kind: Input should be 'counter', 'boxcar'"),
        (TWO.replace("0.9", "1.5"), "detectors.front.saturation: Input should be less than or equal to 1"),
        (TWO.replace('device = "apd2"', ""), "detectors.back.device: is missing"),
        (TWO.replace('"apd2"', '"jet"'), "detectors.back: jet is no counter: it has no reading jet_counts"),
        (TWO.replace('"apd2"', '"apd2.box1"'), "detectors.back.device: apd2 has no box1"),
        (DIODE, "detectors.diode: it is not read in a dwell; add it to readables below"),
        (
            FOIL + 'edge = "Zz_K"',
            r"detectors.diode.edge: edge 'Zz_K': there is no element 'Zz'; .*; or give e0, its energy in",
        ),
        (FOIL + "e0 = 13473.7", "detectors.diode.e0: the energy must be in keV: 13473.7 would be eV, give 13.4737"),
        (DIODE + "digitised = true", "detectors.diode.digitised: shots are those of a counter; leave it out"),
        (
            TWO.replace("saturation = 0.9", "digitised = true") + "digitised = true",
            "detectors: the digitiser records one of front, back; leave digitised out of the others",
        ),
        (
            TWO + "pile_up = false\nafter_effects = true",
            "detectors.back: after_effects are corrected together with pile-up",
        ),
        (TWO + "slot = -1", "detectors.back.slot: Input should be greater than or equal to 0"),
    ],
)
def test_what_is_wrong_is_named_with_the_way_out(tmp_path: Path, more: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        build(load_station(tmp_path, "apsu", more=more))


def test_a_chamber_that_is_read_with_each_dwell_is_a_detector(tmp_path: Path) -> None:
    read = {'readables = ["laser", "ring", "jet"]': 'readables = ["laser", "ring", "jet", "it"]'}
    config = load_station(tmp_path, "apsu", more=DIODE, **read)
    build(config)
    assert config.detectors["diode"].document() == {"kind": "transmission", "device": "it"}
