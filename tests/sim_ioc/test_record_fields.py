"""Fields and types of the simulated records: against the modules' documentation, and against softioc's real records."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import epics
import pytest

from sim_ioc.beamline import SimBeamline
from sim_ioc.scenario.scenario import load_scenario
from tests.devices.soft_process import run_until_ready
from tests.helpers.ioc_process import IocPool
from tests.sim_ioc.ca import Channels

TABLE = tomllib.loads((Path(__file__).parent / "epics_records.toml").read_text(encoding="utf-8"))
OVER_CA = {
    "DOUBLE": "double",
    "FLOAT": "float",
    "LONG": "long",
    "SHORT": "short",
    "STRING": "string",
    "MENU": "enum",
    "ENUM": "enum",
    "ULONG": "double",
    "USHORT": "long",
}
"""Types of record fields, and what Channel Access clients see."""
NAMES = {
    "DOUBLE": "double",
    "FLOAT": "float",
    "LONG": "long",
    "INT": "short",
    "STRING": "string",
    "ENUM": "enum",
    "CHAR": "char",
}
"""caproto's names of types and those of clients."""
MODULES = {"motor": "7idd:m1", "scaler": "7idd:scaler1", "busy": "7idd:FPGA1:Acquire"}
BASE = ("ai", "ao", "bi", "bo", "longin", "longout", "mbbi", "stringout", "waveform")
SOFT_PREFIX = "base"


@pytest.fixture(scope="module")
def records() -> dict[str, Any]:
    return SimBeamline(load_scenario(), 1.0).records("sim:")


def documented(kind: str, field: str) -> str:
    """Type of a field as clients see it, by the documentation."""
    table = TABLE[kind] | {key: TABLE["common"][key] for key in ("RTYP", "DESC")}
    return OVER_CA[table[field] if field in table else table[re.sub(r"\d+$", "#", field)]]


@pytest.mark.parametrize("kind", MODULES)
def test_every_field_has_the_type_of_the_documentation(records: dict[str, Any], kind: str) -> None:
    record = records[f"sim:{MODULES[kind]}"]
    served = {"VAL": record, **record.fields}
    assert TABLE[kind]["source"]
    assert sorted(set(TABLE[kind]["needed"]) - set(served)) == []
    for field, channel in served.items():
        assert NAMES[channel.data_type.name] == documented(kind, field), field
    assert record.fields["RTYP"].value == kind


@pytest.mark.parametrize("menu", TABLE["menus"])
def test_menus_have_the_choices_of_the_documentation(records: dict[str, Any], menu: str) -> None:
    kind, _, field = menu.partition(".")
    assert list(records[f"sim:{MODULES[kind]}"].fields[field].enum_strings) == TABLE["menus"][menu]


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [("7idd:m2.MSTA", "double"), ("7idd:m2.RRBV", "long"), ("7idd:m3.SPMG", "enum"), ("7idd:scaler1.PR2", "double")],
)
def test_clients_see_these_types(default_ioc: Channels, suffix: str, kind: str) -> None:
    assert default_ioc.pv(suffix).type.rpartition("_")[2] == kind


# --- base records ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real_records(ioc_pool: IocPool) -> Iterator[None]:
    """One record of each kind, by EPICS base itself."""
    script = Path(__file__).with_name("soft_records.py")
    with run_until_ready([sys.executable, str(script), SOFT_PREFIX], ioc_pool.take_environment()):
        yield


@pytest.mark.parametrize("kind", BASE)
def test_fields_of_base_records_are_those_of_real_ones(records: dict[str, Any], real_records: None, kind: str) -> None:
    """Every field that a simulated record serves exists on the real record, with the same type and length."""
    ours: dict[str, set[str]] = {}
    for record in records.values():
        if record.fields["RTYP"].value == kind:
            for field, channel in record.fields.items():
                assert channel.max_length == 1
                ours.setdefault(field, set()).add(NAMES[channel.data_type.name])
    if not ours:
        pytest.skip(f"no record of this kind is simulated: {kind}")
    for field, types in ours.items():
        pv = epics.PV(f"{SOFT_PREFIX}:{kind}.{field}", auto_monitor=False)
        assert pv.wait_for_connection(10), f"a real {kind} has no field {field}"
        assert types == {pv.type.rpartition("_")[2]}, f"{kind}.{field}"
        assert pv.nelm == 1
    real = epics.PV(f"{SOFT_PREFIX}:{kind}", auto_monitor=False)
    assert real.wait_for_connection(10)
    kinds = {NAMES[r.data_type.name] for r in records.values() if r.fields["RTYP"].value == kind}
    assert real.type.rpartition("_")[2] in kinds


def test_every_simulated_record_is_of_a_kind_that_is_compared(records: dict[str, Any]) -> None:
    assert {record.fields["RTYP"].value for record in records.values()} <= {*BASE, *MODULES}


def test_the_table_of_records_in_the_documentation_is_that_of_the_simulator() -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "sim_ioc", "--prefix", "sim:", "--list", "--markdown"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True, timeout=60)
    page = (root / "docs" / "reference" / "pvs.md").read_text(encoding="utf-8")
    assert page == done.stdout, "docs/reference/pvs.md is out of date: run `make pvs`"
