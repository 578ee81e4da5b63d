"""Athena projects: a Perl program, or JSON, packed or not. Only its lists of numbers and texts are read.

Larch evaluates these lists as Python; here they are taken apart by a pattern, so nothing of a file is ever executed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from beamline.records.importing.content import decoded, unpacked
from beamline.records.importing.errors import ImportRefusedError
from beamline.records.importing.table import Table, table_of

MARK = "Athena project file"
ASSIGNED = re.compile(r"[$@%]?(\w+)\s*=\s*(.*?);?\s*$", re.DOTALL)
QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"")
COLUMNS = {"x": "energy", "y": "mu", "i0": "i0", "signal": "signal", "stddev": "mu_stddev"}
"""Arrays of a group by the label they get; `signal` is what was measured behind the sample."""


def is_athena(data: bytes) -> bool:
    """Whether the content is a project, packed or not."""
    try:
        return MARK.encode() in unpacked(data)[:2000]
    except ImportRefusedError:
        return data[:1] == b"\x1f"  # damaged: `read_athena` gives the reason


def read_athena(data: bytes) -> list[Table]:
    """All spectra of a project.

    Raises
    ------
    ImportRefusedError
        If it is damaged, or has no spectrum.
    """
    text = decoded(unpacked(data))
    if MARK not in text[:2000]:
        raise ImportRefusedError("its compressed content is no Athena project")
    groups = _of_json(text) if text.lstrip().startswith("{") else _of_perl(text)
    tables = [_table(group) for group in groups if "x" in group and "y" in group]
    if not tables:
        raise ImportRefusedError("the project has no spectrum")
    return tables


def _of_perl(text: str) -> Iterator[dict[str, Any]]:
    """Groups; each ends with ``[record]``."""
    group: dict[str, Any] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("[record]"):
            yield group
            group = {}
        elif (found := ASSIGNED.match(line)) and found[1] in (*COLUMNS, "args", "old_group"):
            group[found[1]] = _texts(found[2])
            group["line"] = number


def _texts(text: str) -> list[str]:
    return [re.sub(r"\\(.)", r"\1", single or double) for single, double in QUOTED.findall(text)]


def _of_json(text: str) -> Iterator[dict[str, Any]]:
    try:
        project = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ImportRefusedError(f"the project is damaged ({error})") from error
    for name, group in project.items():
        if isinstance(group, Mapping):
            yield {**group, "old_group": [name]}


def _table(group: Mapping[str, Any]) -> Table:
    args = group.get("args", ())
    known = dict(args) if isinstance(args, Mapping) else dict(zip(args[::2], args[1::2], strict=False))
    label = str(known.get("label") or (group.get("old_group") or ["unnamed"])[0])
    columns = {name: _array(group[key], label) for key, name in COLUMNS.items() if len(group.get(key, ())) > 1}
    size = columns["energy"].size if "energy" in columns else 0
    whole = {name: values for name, values in columns.items() if values.size == size}
    if "mu" not in whole:
        raise ImportRefusedError(f"group {label!r} has {size} energies, and another number of values")
    if str(known.get("is_diff", "0")) == "1":
        whole["transient"] = whole.pop("mu")
    about = {"title": label, "sample": label, "element": known.get("atsym", ""), "shell": known.get("edge", "")}
    if number := _number(known.get("bkg_e0")):
        about["e0"] = number
    return table_of(
        list(whole), np.stack(list(whole.values()), axis=1), np.zeros(size, np.int64), units={"energy": "eV"},
        part=f"group {label}", about=about,
    )  # fmt: skip


def _array(values: Any, label: str) -> np.ndarray:
    try:
        return np.array([float(value) for value in values], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ImportRefusedError(f"group {label!r} has an array with a cell that is no number ({error})") from error


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0
