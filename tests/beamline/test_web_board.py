"""Viewers pull what has changed since the version that they have."""

from __future__ import annotations

import gzip
import json
from typing import Any

import numpy as np

from beamline.outputs.web.board import Board
from beamline.outputs.web.values import encoded, numbers, series


def pulled(board: Board, known: str = "") -> dict[str, Any]:
    body = board.since(known)
    assert body is not None
    return dict(json.loads(body))


def test_only_what_has_changed_is_given_and_nothing_to_who_has_it() -> None:
    board = Board()
    board.put("a", 1)
    board.put("b", [2])
    first = pulled(board)
    assert first["parts"] == {"a": 1, "b": [2]}
    assert board.since(first["version"]) is None
    assert board.put("b", [3]) and not board.put("a", 1)  # the same again changes nothing
    assert pulled(board, first["version"])["parts"] == {"b": [3]}


def test_a_viewer_of_an_earlier_server_and_a_wrong_version_get_everything() -> None:
    before, board = Board(), Board()
    before.put("a", 1)
    board.put("a", 2)
    for known in (
        before.version,
        "nonsense",
        f"{board.version}0",
        board.version.replace("-", "--"),
        "-1",
        "\u0663-\u0663",
    ):
        assert pulled(board, known)["parts"] == {"a": 2}, known


def test_the_compressed_answer_is_made_once_for_a_version_and_anew_after_a_change() -> None:
    board = Board()
    board.put("a", "x" * 1000)
    body = board.since("")
    assert body is not None
    once = board.compressed("", body)
    assert gzip.decompress(once) == body and board.compressed("", body) is once
    board.put("a", "y" * 1000)
    again = board.since("")
    assert again is not None and gzip.decompress(board.compressed("", again)) == again


def test_numbers_are_rounded_to_six_digits_and_missing_ones_are_none() -> None:
    given = [np.pi, -1.23456789e-12, 0.0, np.nan, np.inf, 13.4720004, 5e-324]
    assert numbers(given)[:6] == [3.14159, -1.23457e-12, 0.0, None, None, 13.472]
    json.loads(encoded(numbers(given)))


def test_points_without_a_value_are_left_out_of_a_series() -> None:
    found = series("on", [1.0, 2.0, 3.0], [0.5, np.nan, 0.25], 0.1, "now")
    assert (found["x"], found["y"], found["e"]) == ([1.0, 3.0], [0.5, 0.25], [0.1, 0.1])


def test_hostile_texts_are_valid_json() -> None:
    text = "\ud800</script>\u2028\x00"
    assert json.loads(encoded({text: text})) == {text: text}
