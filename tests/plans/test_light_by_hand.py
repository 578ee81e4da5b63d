"""The search for the light of the laser, without instruments."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from plans.commissioning.light import _bisect


@pytest.mark.parametrize(("spacing", "halved"), [(153_440.0, 7), (16 * 153_440.0, 9)])
def test_light_is_looked_for_by_halves_to_two_nanoseconds_at_most_nine_times(spacing: float, halved: int) -> None:
    """153 ns halved seven times are 1.2 ns; of 2.5 us nine halves leave 4.8 ns."""
    place, taken = 0.4561 * spacing, SimpleNamespace(light=[])

    def in_reach(ends: list[float]) -> Any:
        yield from ()
        return ends

    def one(setting: float, rows: list[float], more: Any) -> Any:
        yield from ()
        rows.append(setting)

    def seen(rows: list[float], conditions: Any) -> Any:
        early, late = max(each for each in rows if each < place), min(each for each in rows if each > place)
        return SimpleNamespace(early=early, late=late)

    taken.in_reach, taken.one = in_reach, one
    assert list(_bisect(taken, seen, {"spacing_ps": spacing}, {})) == []  # type: ignore[arg-type]
    assert len(taken.light) == 2 + halved
