"""The reference pages match the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from beamline.config.models import Configuration
from docs.generator.models import _model_of
from docs.generator.pages import REFERENCE, outdated, pages


@pytest.fixture(scope="module")
def generated() -> dict[Path, str]:
    return pages()


@pytest.mark.parametrize("name", ["commands", "configuration", "devices", "documents", "plans", "scenario", "settings"])
def test_the_page_is_up_to_date(generated: dict[Path, str], name: str) -> None:
    path = REFERENCE / f"{name}.md"
    assert not outdated(path, generated[path]), f"{path} is out of date: run `make reference`"


def test_another_code_makes_another_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the comparison above can fail."""
    monkeypatch.setitem(pages.__globals__["SECTIONS"], "settings", lambda: "nothing")
    path = REFERENCE / "settings.md"
    assert outdated(path, pages()[path])


def test_every_key_of_the_configuration_has_a_meaning() -> None:
    def without(model: type, where: str) -> list[str]:
        missing = []
        for name, field in model.model_fields.items():  # type: ignore[attr-defined]
            inner, _ = _model_of(field.annotation)
            if inner is not None:
                missing += without(inner, f"{where}{name}.")
            elif not field.description:
                missing.append(f"{where}{name}")
        return missing

    assert without(Configuration, "") == []


def test_the_pages_have_substance(generated: dict[Path, str]) -> None:
    def rows(name: str) -> list[str]:
        return [line for line in generated[REFERENCE / f"{name}.md"].splitlines() if line.startswith("| `")]

    assert any(
        row.startswith("| `fpga_counts` | `fpga.counts` | `7idd:FPGA1:Counts` | counts | event |")
        for row in rows("devices")
    )
    assert any("`root`" in row and "`trxas_data`" in row and "path" in row for row in rows("configuration"))
    assert any("`mu_white_line`" in row and "`0.15`" in row and "> 0" in row for row in rows("scenario"))
    assert any(row.startswith("| `--since`") for row in rows("commands"))
    assert any(row.startswith("| `dwell` | float | Beamline seconds") for row in rows("plans"))
    assert any("`lifetimes`" in row and "| ps |" in row for row in rows("documents"))
