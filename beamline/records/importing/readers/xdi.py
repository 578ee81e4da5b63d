"""XDI, the text interchange format of X-ray absorption: ``# Family.key: value`` above columns.

https://github.com/XraySpectroscopy/XAS-Data-Interchange. Rows are read by our own row reader, which names lines; tests
compare with Larch.
"""

from __future__ import annotations

import re
from typing import Any

from beamline.records.importing.readers.columns import read_columns
from beamline.records.importing.table import Table

ENTRY = re.compile(r"#\s*([A-Za-z]\w*)\.(\w+):\s*(.*)")


def is_xdi(text: str) -> bool:
    """Whether a text is XDI; files that only begin so and name PVs beside columns are left to `columns`."""
    return re.match(r"#\s*XDI/\d", text) is not None and "epics stepscan" not in text.partition("\n")[0].lower()


def read_xdi(text: str, skip: bool = False) -> list[Table]:
    """The table of an XDI file.

    Raises
    ------
    ImportRefusedError
        As `read_columns`.
    """
    found = (ENTRY.match(line) for line in text.splitlines() if line.startswith("#"))
    entries = {(match[1].lower(), match[2].lower()): match[3].strip() for match in found if match}
    columns = {
        int(key): value.split() for (family, key), value in entries.items() if family == "column" and key.isdecimal()
    }
    named = {number: words for number, words in sorted(columns.items()) if words}
    labels = [words[0] for words in named.values()]
    (table,) = read_columns(text, labels, skip)
    units = {words[0]: words[1] for words in named.values() if len(words) > 1}
    return [Table(table.columns, table.lines, units, about=_about(entries), remarks=table.remarks)]


def _about(entries: dict[tuple[str, str], str]) -> dict[str, Any]:
    keys = {
        "sample": ("sample", "name"),
        "element": ("element", "symbol"),
        "shell": ("element", "edge"),
        "began": ("scan", "start_time"),
        "mode": ("trxas", "mode"),
    }
    about: dict[str, Any] = {name: entries[key] for name, key in keys.items() if key in entries}
    spacing = entries.get(("mono", "d_spacing"), "").split()
    try:
        return about | ({"d_spacing": float(spacing[0])} if spacing else {})
    except ValueError:
        return about
