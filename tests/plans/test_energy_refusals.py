"""Bad input is refused before anything moves, by the name of the argument."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from bluesky import RunEngine

from plans.scans.energy import energy_scan
from tests.plans.conftest import Documents
from tests.plans.fakes import Bench, bench

GOOD: dict[str, Any] = {"energies": [13.46, 13.47], "dwell": 1.0, "delay": 100.0}

REFUSED = [
    ({"edge": "Fe_L7"}, r"^edge 'Fe_L7': Fe has no edge 'L7', but K, L1"),
    ({"settings": {"pre_edge": [13.45, 13.47]}}, r"^pre_edge ends at 13\.47 keV, above 13\.462 keV"),
    ({"edge": ["Br_K", 3]}, r"^edge must be one element and edge such as Fe_K, not 3"),
    ({"edge": [["Br_K"]]}, r"^edge must be one element and edge such as Fe_K, not \['Br_K'\]"),
    ({"energies": [13460.0, 13472.0]}, r"^energies must be in keV: 13460 would be eV, give 13\.46"),
    ({"energies": [13.468, 13.472]}, r"^energies need a point in the pre-edge window of Br_K, 13\.45 to 13\.46 keV"),
    ({"energies": ["13.46", "13.47"]}, r"^energies must be numbers in keV, not text or truth values"),
    ({"energies": [False, True]}, r"^energies must be numbers in keV, not text or truth values"),
    ({"energies": [False, 13.46]}, r"^energies must be numbers in keV, not text or truth values"),
    ({"energies": [13.46, None]}, r"^energies must be numbers in keV"),
    ({"delay": 1e-10}, r"^delay must be in ps: 1e-10 would be s, give 100"),
    ({"delay": True}, r"^delay must be a finite number of ps, not True"),
    ({"passes": 100_000_000}, r"^passes must be at most 10000, not 100000000"),
    ({"passes": True}, r"^passes must be a whole number from 1, not True"),
    ({"attempts": 10**9}, r"^attempts must be at most 1000, not 1000000000"),
    (
        {"target": 1e-3, "longest": 1e9, "judge": len},
        r"^longest must be .* from those of one pattern, 4, to 40000, not 1",
    ),
    ({"checks": "beam"}, r"^checks must be a list of Check\(key, low, high, reason\), not 'beam'"),
    ({"checks": [("ring_current", 10, 1000, "beam lost")]}, r"^checks must be a list of Check"),
    ({"scan_set": 5}, r"^scan_set must be the text of a uid, not 5"),
    ({"background": 1234}, r"^background must be the text of a uid, not 1234"),
    ({"target": 1e-2, "judge": "me"}, r"^judge must be called with a point and return seconds, not 'me'"),
    ({"settings": [1]}, r"^settings must map names to values, not \[1\]"),
    (
        {"settings": {"pre_edge": [13.46, 13.45]}},
        r"^pre_edge in settings must go from a lower to a higher energy in keV",
    ),
    ({"settings": {"pre_edge": "13.45, 13.46"}}, r"^pre_edge in settings must go from"),
    ({"settings": {"pre_edge": [13450.0, 13460.0]}}, r"^pre_edge in settings must be in keV: 13450 would be eV"),
    ({"edge": None}, r"^edge must be one element and edge such as Fe_K, not None"),
    ({"energies": [13.46, 25.0]}, r"^mono cannot go to 25"),
    ({"energies": [6.0005, 13.46]}, r"^mono cannot go to 5\.99"),  # the approach from below leaves the range
    ({"energies": [13.46, 13.45]}, r"^energies must ascend"),
    ({"energies": [13.46, 13.46]}, r"^energies must ascend without repeats"),
    ({"energies": [13.46]}, r"^energies needs at least two points"),
    ({"energies": [13.46, math.nan]}, r"^energies holds a value that is not a finite number"),
    ({"energies": "all"}, r"^energies must be numbers"),
    ({"dwell": 0}, r"^dwell must be a number above 0 s, not 0"),
    ({"dwell": -1.0}, r"^dwell must be a number above 0 s, not -1"),
    ({"dwell": math.nan}, r"^dwell must be a number above 0 s, not nan"),
    ({"dwell": math.inf}, r"^dwell must be a number above 0 s, not inf"),
    ({"dwell": "1"}, r"^dwell must be a number above 0 s, not '1'"),
    ({"dwell": None}, r"^dwell must be a number above 0 s, not None"),
    ({"dwell": True}, r"^dwell must be a number above 0 s, not True"),
    ({"dwell": 1e-4}, r"^dwell of 0\.0001 s: fpga_preset_time cannot go to 0\.0001"),
    ({"dwell": 1e3}, r"^dwell of 1000 s: fpga_preset_time cannot go to 1000"),
    ({"passes": 0}, r"^passes must be a whole number from 1, not 0"),
    ({"passes": -1}, r"^passes must be a whole number from 1, not -1"),
    ({"passes": 1.5}, r"^passes must be a whole number from 1, not 1\.5"),
    ({"passes": math.nan}, r"^passes must be a whole number from 1, not nan"),
    ({"passes": math.inf}, r"^passes must be a whole number from 1, not inf"),
    ({"passes": "2"}, r"^passes must be a whole number from 1, not '2'"),
    ({"passes": None}, r"^passes must be a whole number from 1, not None"),
    ({"delay": math.nan}, r"^delay must be a finite number of ps, not nan"),
    ({"delay": -math.inf}, r"^delay must be a finite number of ps, not -inf"),
    ({"delay": "100 ps"}, r"^delay must be a finite number of ps, not '100 ps'"),
    ({"delay": None}, r"^delay must be a finite number of ps, not None"),
    ({"delay": 2e5}, r"^laser_delay cannot go to 200000"),
    ({"pattern": (0,)}, r"^pattern needs .*, not \(0,\); an energy_scan without the laser has delay=None$"),
    ({"pattern": (0,), "delay": None, "target": 1e-2, "judge": len}, r"^target is an error of laser on"),
    ({"pattern": ()}, r"^pattern needs"),
    ({"pattern": (1, 0, 2)}, r"^pattern needs"),
    ({"pattern": ("on", "off")}, r"^pattern needs"),
    ({"pattern": (1, 0, math.nan)}, r"^pattern needs"),
    ({"pattern": 5}, r"^pattern needs"),
    ({"reference": "none"}, r"^reference must be one of .*, not 'none'"),
    ({"monitor_energies": [13455.0]}, r"^monitor_energies must be in keV: 13455 would be eV, give 13\.455"),
    ({"monitor_energies": [13.455, 25.0]}, r"^mono cannot go to 25"),
    ({"monitor_energies": "13.455"}, r"^monitor_energies must be a finite number of keV, not '13\.455'"),
    ({"monitor_energies": []}, r"^monitor_energies must hold at least one number of keV"),
    ({"monitor_energies": [13.455, 13.455]}, r"^monitor_energies holds the same number of keV twice"),
    ({"monitor_energies": [13.45, 13.46, 13.48]}, r"^monitor_energies must be one or 2 energies in keV, not 3"),
    ({"monitor_energies": 13.455, "monitor_share": 0}, r"^monitor_share must lie above 0 and up to 0\.5 .*, not 0"),
    (
        {"monitor_energies": 13.455, "monitor_share": 0.51},
        r"^monitor_share must lie above 0 and up to 0\.5 .*not 0\.51",
    ),
    ({"monitor_energies": 13.455, "monitor_share": "5 %"}, r"^monitor_share must lie above 0 .*, not '5 %'"),
    ({"monitor_share": 0.05}, r"^monitor_share means nothing without monitor_energies"),
    (
        {"monitor_energies": 13.455, "edge": ("Br_K", "Pb_L3"), "energies": None},
        r"^monitor_energies are those of one edge; with several edges leave them out",
    ),
]


@pytest.mark.parametrize(("change", "message"), REFUSED, ids=[str(change) for change, _ in REFUSED])
def test_bad_input_is_refused_before_anything_moves(
    soft: Bench, engine: RunEngine, documents: Documents, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        engine(energy_scan(soft.instruments(), **(GOOD | change)))
    assert documents.seen == []
    assert {action for action, _, _ in soft.notes.actions} <= {"read"}


def test_slots_cannot_be_compared_where_there_is_one(engine: RunEngine, documents: Documents) -> None:
    every_bunch = bench(num_bunches=24, divider=1)
    with pytest.raises(ValueError, match=r"^reference 'slots' is not possible with laser divider 1"):
        engine(energy_scan(every_bunch.instruments(), reference="slots", **GOOD))
    assert documents.seen == []
    assert {action for action, _, _ in every_bunch.notes.actions} <= {"read"}


@pytest.mark.parametrize("reference", ["paper", "slots", None])
def test_every_reference_works_where_slots_see_different_bunches(
    engine: RunEngine, documents: Documents, reference: str | None
) -> None:
    engine(energy_scan(bench(num_bunches=324, divider=4).instruments(), reference=reference, **GOOD))
    assert len(documents.events()) == 8
    assert documents.all("start")[0]["reference"] == (reference or "combined")


def test_a_slow_laser_may_be_on_all_the_time(engine: RunEngine, documents: Documents) -> None:
    slow = bench(num_bunches=4, divider=8)
    engine(energy_scan(slow.instruments(), pattern=(1, 1), **GOOD))
    assert {data["laser_on"] for data in documents.events()} == {1}
    assert documents.all("start")[0]["reference"] == "slots"


@pytest.mark.parametrize(
    ("divider", "options", "message"),
    [
        (7, {}, r"^pattern needs dwells .* a laser period of two turns or more \(1.75 here\)"),
        (8, {"reference": "paper"}, "^reference 'paper' needs dwells with the laser off"),
        (8, {"target": 0.01}, "^target needs dwells with the laser off"),
    ],
)
def test_what_needs_the_laser_off_is_refused_without(
    engine: RunEngine, documents: Documents, divider: int, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        engine(energy_scan(bench(num_bunches=4, divider=divider).instruments(), pattern=(1, 1), **options, **GOOD))
    assert documents.seen == []


UNEVEN = [0.0, *(0.43 + 0.02 * np.arange(8))]


@pytest.mark.parametrize(
    ("bunches", "divider", "positions", "message"),
    [
        (9, 3, UNEVEN, "^bunch timing: laser divider 3 does not suit 9 unevenly spaced bunches"),
        (9, 4, UNEVEN, "^bunch timing: laser divider 4 does not suit"),
        (24, 5, UNEVEN, "^bunch timing: the ring's fill pattern shows 9 bunches, and 24 are counted"),
    ],
)
def test_a_fill_in_which_slots_mean_nothing_is_refused(
    engine: RunEngine, documents: Documents, bunches: int, divider: int, positions: list[float], message: str
) -> None:
    soft = bench(bunches, divider)
    soft.timing.bunch_places.value = positions
    with pytest.raises(ValueError, match=message):
        engine(energy_scan(soft.instruments(), **GOOD))
    assert documents.seen == []
    assert {action for action, _, _ in soft.notes.actions} <= {"read"}


@pytest.mark.parametrize(
    ("bunches", "divider", "positions"), [(9, 9, UNEVEN), (24, 5, np.arange(24) / 24), (24, 5, [])]
)
def test_a_fill_that_suits_the_laser_is_taken(
    engine: RunEngine, documents: Documents, bunches: int, divider: int, positions: list[float]
) -> None:
    soft = bench(bunches, divider)
    soft.timing.bunch_places.value = list(positions)
    engine(energy_scan(soft.instruments(), **GOOD))
    assert documents.all("start")[0]["reference"] == "combined"


@pytest.mark.parametrize(
    "change",
    [
        {"dwell": 1},
        {"dwell": np.float64(0.5)},
        {"dwell": np.int64(1)},
        {"passes": np.int64(1)},
        {"passes": 1.0},
        {"delay": 0},
        {"delay": -500},
        {"delay": np.float32(100)},
        {"pattern": [True, False]},
        {"pattern": np.array([0, 1, 1, 0])},
        {"energies": np.array([13.46, 13.47])},
        {"energies": (13.46, 13.4600001)},
    ],
    ids=str,
)
def test_good_input_of_other_types_is_taken(
    soft: Bench, engine: RunEngine, documents: Documents, change: dict[str, Any]
) -> None:
    engine(energy_scan(soft.instruments(), **(GOOD | change)))
    assert documents.all("stop")[0]["exit_status"] == "success"
    pattern = [int(state) for state in change.get("pattern", (1, 0, 0, 1))]
    assert [data["laser_on"] for data in documents.events()] == pattern * 2
