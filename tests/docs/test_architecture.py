"""The page on the architecture names the layers of the contracts, from the top."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.helpers.ioc_process import ROOT

CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
LAYERS = {each["containers"][0]: each["layers"] for each in CONTRACTS if each["type"] == "layers"}
PAGE = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("room", LAYERS)
def test_the_table_has_the_layers_of_the_contract(room: str) -> None:
    (row,) = re.findall(rf"^\| `{room}/` \| (.* > .*) \|$", PAGE, re.MULTILINE)
    shown = [set(re.findall(r"`(\w+)`", layer)) for layer in row.split(" > ")]
    assert shown == [set(layer.split(" | ")) for layer in LAYERS[room]]
