"""What a session knows of findings: notes of old ones, what is in use, and the line that reports one."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from beamline.config.devices import Roles
from beamline.session.commissioning.beam_time import expected
from beamline.session.commissioning.bind import FINDINGS
from beamline.session.commissioning.commissioning import Commissioning, CommissioningError
from beamline.session.commissioning.known import KnownFindings, sentence
from beamline.session.persistent.state import StateFile, StoredFinding

DESCRIPTOR = {"uid": "d", "name": "finding", "run_start": "run"}


def event(outcome: str, when: float, value: float = 50.0) -> dict[str, Any]:
    data = {"name": "threshold", "value": value, "stddev": 0.1, "unit": "mV", "verdict": "good", "reason": "Flat."}
    entries = {f"finding_{key}": each for key, each in {**data, "outcome": outcome}.items()}
    return {"descriptor": "d", "time": when, "data": entries}


def known(folder: Path, said: list[str]) -> KnownFindings:
    return KnownFindings(StateFile(folder, said.append), 24.0, said.append)


def store(to: KnownFindings, *events: dict[str, Any]) -> None:
    to("start", {"uid": "run"})
    to("descriptor", DESCRIPTOR)
    for each in events:
        to("event", each)


def test_only_what_was_set_is_in_use(tmp_path: Path) -> None:
    found = known(tmp_path, [])
    store(found, event("shown", time.time()))
    assert found.entries() == {}
    store(found, event("set", time.time()), event("went back to the settings before: worse", time.time()))
    assert found.entries() == {"threshold": "run"}
    (row,) = found.table().splitlines()[1:]
    entries = [each.strip() for each in row.split("  ") if each]
    assert entries == ["threshold", "50.00 +- 0.10 mV", "good", "went back", "0 min ago", "run"]


@pytest.mark.parametrize(("gate", "made"), [("set", 4), ("not set: its verdict is bad", 2), ("went back, set", 5)])
def test_commissioning_goes_in_order_and_stops_with_the_reason(tmp_path: Path, gate: str, made: int) -> None:
    found, asked = known(tmp_path, []), list[str]()

    def plan(name: str, outcome: str) -> Any:
        def make(apply: bool, **arguments: Any) -> Any:
            asked.append(name)
            assert arguments.get("fluence") == (12.0 if name == "time_zero" else None)
            assert arguments.get("lifetime") == ((120.0, 20.0) if name == "time_zero" else None)
            last = asked[:-1].count(name)
            one = event(outcome.split(", ")[min(last, outcome.count(", "))], time.time())
            one["data"]["finding_name"] = name
            store(found, one)
            yield apply

        return make

    outcomes = {"threshold": "set", "gate": gate, "time_zero": "set"}  # or one after the other
    plans = {f"find_{name}": plan(name, outcome) for name, outcome in outcomes.items()}
    roles = Roles(fluence="laser_fluence")
    settings = SimpleNamespace(fluence=12.0, lifetime=(120.0, 20.0))
    config = SimpleNamespace(detectors={}, roles=roles, devices={}, commissioning=settings)  # without a foil
    context: Any = SimpleNamespace(config=config)
    commissioning = Commissioning(context, found, plans)
    if gate.endswith("set"):
        assert list(commissioning.commission()) == [True] * made
    else:
        with pytest.raises(CommissioningError, match=r"^gate: not set: its verdict is bad .*first=\"gate\""):
            list(commissioning.commission())
    tries = ["gate"] * (1 + gate.count(", "))
    assert asked == ["threshold", *tries, "time_zero", "time_zero"][:made]
    with pytest.raises(ValueError, match="first must be one of"):
        list(commissioning.commission(first="jet"))


@pytest.mark.parametrize(("verdict", "goes_on"), [("look", True), ("bad", False)])
def test_a_doubt_about_the_flux_is_printed_and_the_next_step_follows(
    tmp_path: Path, capsys: Any, verdict: str, goes_on: bool
) -> None:
    found, asked = known(tmp_path, []), list[str]()

    def plan(name: str) -> Any:
        def make(**_: Any) -> Any:
            asked.append(name)
            one = event(f"not set: its verdict is {verdict}" if name == "flux" else "set", time.time())
            one["data"] |= {"finding_name": name, "finding_verdict": verdict if name == "flux" else "good"}
            store(found, one)
            yield name

        return make

    plans = {f"find_{name}": plan(name) for name in ("flux", "time_zero")}
    settings = SimpleNamespace(fluence=None, lifetime=None)
    config = SimpleNamespace(detectors={}, roles=Roles(attenuator="filters"), devices={}, commissioning=settings)
    context: Any = SimpleNamespace(config=config)
    commissioning = Commissioning(context, found, plans)
    if goes_on:
        list(commissioning.commission(first="flux"))
        assert "flux: not set: its verdict is look" in capsys.readouterr().out
    else:
        with pytest.raises(CommissioningError, match=r"^flux: "):
            list(commissioning.commission(first="flux"))
    assert asked == ["flux", "time_zero", "time_zero"][: 3 if goes_on else 1]


@pytest.mark.parametrize(
    ("now", "verdict", "words"),
    [(50.2, "good", "50.2"), (50.5, "look", "Flat."), (51.0, "bad", "7.1"), (float("nan"), "bad", "Flat.")],
)
def test_a_check_compares_with_what_is_in_use(
    tmp_path: Path, capsys: Any, now: float, verdict: str, words: str
) -> None:
    """Both have an error of 0.1; only what is in use is measured, and nothing is set."""
    found, asked = known(tmp_path, []), list[Any]()
    store(found, event("set", time.time()))

    def plan(**arguments: Any) -> Any:
        asked.append(arguments)
        store(found, event("shown", time.time(), now))
        yield "counted"

    config = SimpleNamespace(detectors={}, roles=Roles(), devices={})
    context: Any = SimpleNamespace(config=config)
    commissioning = Commissioning(context, found, {"find_threshold": plan, "find_gate": plan})
    assert list(commissioning.check_all()) == ["counted"]
    assert [each["apply"] for each in asked] == [False]
    printed = capsys.readouterr().out
    assert printed.splitlines()[1].split()[-1] == verdict and words in printed
    assert found.in_use()["threshold"].value == 50.0


def test_the_beam_time_of_findings_is_typical() -> None:
    """Every plan of a finding has one; that of a scan is computed instead."""
    plans = {name: SimpleNamespace(__name__=name) for name in (*FINDINGS, "commission", "check_all", "energy_scan")}
    durations: dict[str, Any] = {name: expected(plan, {}) for name, plan in plans.items()}  # type: ignore[arg-type]
    assert durations.pop("energy_scan") is None and None not in durations.values()
    assert durations["commission"].total < 35 * 60 and 100 < durations["check_all"].total < 150
    twice: Any = expected(plans["find_gate"], {"apply": True})  # type: ignore[arg-type]
    assert twice.total == 2 * durations["find_gate"].total


def test_an_old_finding_is_noted_once_a_scan_set(tmp_path: Path) -> None:
    said: list[str] = []
    found = known(tmp_path, said)
    store(found, event("set", time.time() - 25 * 3600))
    said.clear()
    for start in ({"scan_set": "s", "scan_index": 0}, {"scan_set": "s", "scan_index": 1}, {"plan_name": "count"}):
        found("start", start)
    assert said == ["Found more than 24 h ago: threshold (25 h ago); find again what may have changed."]


@pytest.mark.parametrize(
    ("value", "stddev", "shown"),
    [(0.11521018, 4e-5, "0.115210 +- 0.000040"), (0.12356, 0.032, "0.124 +- 0.032"), (50.3, 12.4, "50 +- 12")],
)
def test_a_value_has_the_digits_that_its_error_leaves(value: float, stddev: float, shown: str) -> None:
    texts = dict.fromkeys(("name", "uid", "unit", "verdict", "reason", "outcome"), "x")
    assert f": {shown} x" in sentence(StoredFinding(**texts, time=0.0, value=value, stddev=stddev))


def test_a_bad_finding_has_no_value(tmp_path: Path) -> None:
    said: list[str] = []
    store(known(tmp_path, said), event("shown", time.time(), float("nan")))
    state = StateFile(tmp_path, said.append).state
    assert state.findings["threshold"].value is None
    assert sentence(
        StoredFinding(name="gate", uid="u", time=0.0, verdict="bad", outcome="shown", reason="No beam.")
    ) == ("gate: bad, shown. No beam.")
