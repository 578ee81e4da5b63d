"""The embedded catalogue: created once by concurrent processes, and read when empty."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from beamline.records.catalogue.client import (
    json_exact,
    list_runs,
    open_catalogue,
    read_stream,
    restored,
    run_documents,
)
from tests.beamline.catalogue_writing import Open
from tests.beamline.example_runs import same

REPOSITORY = Path(__file__).parents[2]

OPENED_BY_ANOTHER = """
import sys
from beamline.records.catalogue.client import close_catalogue, open_catalogue
client = open_catalogue(sys.argv[1])
print(len(client))
close_catalogue(client)
"""


@pytest.mark.long
def test_several_processes_may_make_it_at_once(tmp_path: Path, opened: Open) -> None:
    command = [sys.executable, "-W", "ignore", "-c", OPENED_BY_ANOTHER, str(tmp_path / "new")]
    others = [subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert len(opened(tmp_path / "new")) == 0
    for other in others:
        output, _ = other.communicate(timeout=120)
        assert (other.returncode, output) == (0, "0\n")


@pytest.mark.long
def test_what_a_killed_process_left_is_created_again(tmp_path: Path, opened: Open) -> None:
    tmp_path.joinpath("catalogue.part").write_bytes(b"SQLite format 3 cut off")
    assert len(opened(tmp_path)) == 0


def test_no_run_no_stream(catalogue: Path, opened: Open) -> None:
    client = opened(catalogue)
    assert list_runs(client) == []
    assert list_runs(client, newest=3) == []
    for uid in ("0" * 36, "01234567"):
        with pytest.raises(KeyError):
            read_stream(client, uid, "primary")
        with pytest.raises(KeyError):
            run_documents(client, uid)


def test_a_missing_server_is_named() -> None:
    with pytest.raises(ConnectionError, match=r"http://127\.0\.0\.1:9 does not answer.*Documents stay in the journal"):
        open_catalogue("http://127.0.0.1:9")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(json_values)
@example(["NaN", "Infinity", "-Infinity", "text:", "text:NaN", "text:text:x", math.nan, -math.inf])
def test_json_keeps_every_number(value: Any) -> None:
    # allow_nan=False: non-standard JSON must not be needed
    assert same(restored(json.loads(json.dumps(json_exact(value), allow_nan=False))), value)


def test_numpy_values_become_json() -> None:
    value = {"a": np.float64("nan"), "b": np.arange(3), "c": np.array([math.inf, 1.0]), "d": (1, np.True_), "e": 2**70}
    assert json_exact(value) == {
        "a": "NaN",
        "b": [0, 1, 2],
        "c": ["Infinity", 1.0],
        "d": [1, True],
        "e": "1180591620717411303424",
    }
