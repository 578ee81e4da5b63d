"""Documents survive the journal bit by bit; others are refused by name."""

from __future__ import annotations

import contextlib
import enum
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from beamline.records.journal.codec import pack_document, unpack_document
from beamline.records.journal.errors import DamagedRecordError, UnwritableValueError
from tests.beamline.example_runs import same

plain_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=20)
dtypes = (
    hnp.boolean_dtypes()
    | hnp.integer_dtypes(endianness="?")
    | hnp.unsigned_integer_dtypes(endianness="?")
    | hnp.floating_dtypes(endianness="?")
    | hnp.complex_number_dtypes()
    | hnp.unicode_string_dtypes(max_len=5)
    | hnp.datetime64_dtypes(max_period="s")
)
arrays = dtypes.flatmap(lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0)))
numpy_scalars = st.sampled_from([np.float64, np.float32, np.int64, np.int32, np.uint8, np.bool_]).map(
    lambda kind: kind(1)
)
values = st.recursive(
    plain_scalars | arrays | numpy_scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def round_trip(value: Any) -> Any:
    name, doc = unpack_document(pack_document("event", {"value": value}))
    assert name == "event"
    return doc["value"]


@given(values)
def test_every_value_comes_back_to_the_bit(value: Any) -> None:
    assert same(round_trip(value), value)


def test_tuples_come_back_as_lists() -> None:
    assert round_trip((1, (2, "a"))) == [1, [2, "a"]]


def test_fortran_order_and_strides_do_not_matter() -> None:
    array = np.arange(24).reshape(4, 6)
    for view in (np.asfortranarray(array), array[::2, ::-1], array.T):
        back = round_trip(view)
        assert back.flags["C_CONTIGUOUS"]
        assert np.array_equal(back, view)


def test_nan_payload_and_negative_zero_are_kept() -> None:
    array = np.array([0x7FF8DEADBEEF0001, 0x8000000000000000], dtype=np.uint64).view(np.float64)
    assert round_trip(array).tobytes() == array.tobytes()
    assert math.copysign(1, round_trip(-0.0)) == -1


def test_a_structured_array_keeps_its_fields() -> None:
    array = np.zeros(3, dtype=[("time", "<f8"), ("hits", "<i4", (2, 3))])
    array["hits"] = 7
    back = round_trip(array)
    assert back.dtype == array.dtype
    assert back.tobytes() == array.tobytes()


def test_text_that_is_no_unicode_is_kept() -> None:
    assert round_trip("\udcff/file") == "\udcff/file"


def test_enumerations_become_their_values() -> None:
    class Mode(enum.StrEnum):
        SIM = "sim"

    assert round_trip({"mode": Mode.SIM, "level": enum.IntEnum("Level", "LOW HIGH").HIGH}) == {
        "mode": "sim",
        "level": 2,
    }


@pytest.mark.parametrize(
    "value",
    [
        np.array([object()]),
        np.array([{"a": 1}], dtype=object),
        object(),
        Path("somewhere"),
        {1, 2},
        np.ma.masked_array([1, 2], mask=[True, False]),
        {("a", 1): 2},
        {None: 1},
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_exact_form_is_refused_by_the_name_of_its_key(value: Any) -> None:
    with pytest.raises(UnwritableValueError, match=r"sample\.notes\[1\]\.here"):
        pack_document("start", {"sample": {"notes": [1, {"here": value}]}})


def test_nothing_unpickles() -> None:
    payload = pickle.dumps(("event", {}))
    with pytest.raises(DamagedRecordError):
        unpack_document(payload)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_document_or_refused(payload: bytes) -> None:
    try:
        name, doc = unpack_document(payload)
    except DamagedRecordError:
        return
    assert isinstance(name, str) and isinstance(doc, dict)


@given(values, st.data())
def test_flipped_bytes_never_raise_anything_else(value: Any, data: st.DataObject) -> None:
    payload = bytearray(pack_document("event", {"value": value}))
    position = data.draw(st.integers(0, len(payload) - 1))
    payload[position] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(DamagedRecordError):
        unpack_document(bytes(payload))
