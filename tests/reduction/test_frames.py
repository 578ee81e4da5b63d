"""Frames of a sweep by number and time stamp: lost, sent twice, latched late, and those outside of the grid."""

from __future__ import annotations

import numpy as np
import pytest

from reduction.counting.phases import Pattern
from reduction.documents.frames import FRAME_KEYS, dwells_of_frames, frames_of
from reduction.documents.raw import RawRun
from reduction.errors import DocumentError
from reduction.settings import Settings

FRAME = 0.1
SETTINGS = Settings.from_mapping({"pre_edge": (13.45, 13.452), "integral": (13.452, 13.46)})
RUN = RawRun("raw", "set", "mono_energy", np.arange(13.450, 13.4605, 0.001), 1, SETTINGS, {}, frames=45)


def page(numbers):
    """Frames at 2.5 eV/s from 13.446 keV on."""
    numbers = np.asarray(numbers)
    begin = 13.446 + 2.5e-4 * numbers
    columns = {"frame_number": numbers, "frame_stamp": FRAME * (numbers + 1), "frame_begin": begin}
    columns |= {"frame_end": begin + 2.5e-4, "frame_sweep": np.full(numbers.size, 7), "frame_i0": numbers + 100.0}
    return columns | {key: np.ones((numbers.size, 5), np.int32) for key in ("frame_counts", "frame_gates")}


def with_pairs(columns):
    """The same with pair counters, each with numbers of its own."""
    ones = columns["frame_counts"]
    return columns | {
        f"frame_pair_{name}": number * ones
        for number, name in enumerate(("gates", "hits", "previous_hits", "coincidences"), start=6)
    }


def dwells(columns):
    data = {"sweep_frame_time": FRAME, "laser_on": 1, "quality": "good", "attempt": 0, "segment": 0, "laser_phase": 0}
    event = {"seq_num": 1, "time": 0.0, "data": {**data, "i0_gain": 1.0, "i0_dark": 0.0}}
    frames = frames_of(columns, FRAME, RUN)
    return list(dwells_of_frames(frames, event, RUN, Pattern(1, 5, 0, 6.5e6), None))


def test_frames_have_pair_counters_of_one_lag_or_none():
    """Those of runs that were stored without them are reduced as before."""
    for each in dwells(page(range(70))):
        assert each.pairs is None
    for each in dwells(with_pairs(page(range(70)))):
        for number, name in enumerate(("gates", "hits", "previous_hits", "coincidences"), start=6):
            assert np.array_equal(getattr(each.pairs, name), np.full((1, 5), number))


def test_whole_frames_are_counted_from_the_first_on_the_grid():
    found = frames_of(page(range(70)), FRAME, RUN)
    assert found.complaint == ""
    assert found.index[0] == 0
    assert found.begin[0] == pytest.approx(13.449)  # within a step of the first point
    assert found.end[-1] <= 13.4615


def test_lost_doubled_and_late_frames():
    numbers = [each for each in range(70) if each not in (20, 21)]
    numbers.insert(30, numbers[29])
    columns = page(numbers)
    late = numbers.index(40)
    columns["frame_stamp"][late] += FRAME
    found = frames_of(columns, FRAME, RUN)
    assert found.complaint == "2 lost, 1 sent twice, 1 latched late and left out of 70"
    first = frames_of(page(range(70)), FRAME, RUN)
    missing = {20, 21, 40}
    expected = [
        index for index, i0 in zip(first.index, first.columns["frame_i0"], strict=True) if i0 - 100 not in missing
    ]
    assert list(found.index) == expected
    assert len(set(found.index)) == found.index.size


def test_frames_without_a_column_are_refused_by_name():
    columns = page(range(5))
    del columns["frame_begin"]
    with pytest.raises(DocumentError, match="frames of run raw lack frame_begin"):
        frames_of(columns, FRAME, RUN)
    assert set(columns) < set(FRAME_KEYS)
