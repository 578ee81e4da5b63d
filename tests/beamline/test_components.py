"""Dotted names of devices, their parts and signals."""

from __future__ import annotations

import pytest
from ophyd import Component, Device, Signal

from beamline.station.components import find_component, find_signal


class Slide(Device):
    across = Component(Signal, value=1.0)


class Table(Device):
    slide = Component(Slide, "")


TABLE = {"table": Table("", name="table")}


def test_parts_are_found_by_their_dotted_names() -> None:
    assert find_component(TABLE, "table") is TABLE["table"]
    assert find_component(TABLE, "table.slide") is TABLE["table"].slide
    assert find_signal(TABLE, "table.slide.across").get() == 1.0


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("moon", "there is no device moon; devices are table"),
        ("table.currant", "table has no currant; it has slide"),
        ("table.slide.across.far", "table_slide_across has no far; it has no parts"),
        ("table.slide.name", "table_slide has no name; it has across"),  # an attribute, but no part
        ("table.slide", "table.slide is a device, not a signal; it has across"),
    ],
)
def test_unknown_names_are_refused_with_the_alternatives(path: str, message: str) -> None:
    with pytest.raises(LookupError) as error:
        find_signal(TABLE, path)
    assert error.value.args == (message,)
