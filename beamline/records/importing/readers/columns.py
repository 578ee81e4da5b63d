"""Columns of numbers below a header, as beamlines write them, also without any header."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from beamline.records.importing.errors import ImportRefusedError
from beamline.records.importing.readers.beamlines import beamline_of
from beamline.records.importing.rows import cells_of, header_and_rows, lines_of, numbers_of
from beamline.records.importing.table import Table, table_of

OWN_ENTRY = re.compile(r"# (edge|sample|mode): (.*)")
"""Entries of the header of our own CSV files."""
UNIT_IN_LABEL = {"_keV": "keV", "_ps": "ps", "_mJ_per_cm2": "mJ/cm2"}
LEGEND = re.compile(r"\W*([PD]\d+)\s*=\s*\{(.+?)\}")
E0 = re.compile(r"\bE0\s*=\s*(\d+\.?\d*)", re.IGNORECASE)


def read_columns(text: str, labels: Sequence[str] = (), skip: bool = False) -> list[Table]:
    """The table of a text file.

    Parameters
    ----------
    text : str
    labels : sequence of str
        Names of the columns; by default those of the header.
    skip : bool
        Leave out rows that are not whole.

    Raises
    ------
    ImportRefusedError
        If there are no rows, one is not whole, or nothing names the columns.
    """
    header, rows = header_and_rows(lines_of(text))
    numbers = numbers_of(rows, skip=skip)
    width = numbers.values.shape[1]
    units: dict[str, str] = {}
    about: dict[str, Any] = {}
    if labels:
        names = list(labels)
    elif (header and header[-1].startswith("energy_keV,")) or _is_own_trace(header):
        names, units, about = _own(header)
    else:
        names, units, about = _named(header, width)
    return [table_of(names, numbers.values, numbers.lines, units=units, about=about, remarks=numbers.remarks)]


def _is_own_trace(header: list[str]) -> bool:
    return bool(header) and header[-1].startswith(("laser_delay_ps,", "laser_fluence_mJ_per_cm2,"))


def _own(header: list[str]) -> tuple[list[str], dict[str, str], dict[str, Any]]:
    """Labels of our own CSV files."""
    names = cells_of(header[-1])
    units = {name: unit for name in names for end, unit in UNIT_IN_LABEL.items() if name.endswith(end)}
    return names, units, {found[1]: found[2] for line in header if (found := OWN_ENTRY.match(line))}


def _named(header: list[str], width: int) -> tuple[list[str], dict[str, str], dict[str, Any]]:
    """Labels as Larch finds them in the header; without a header, ``col1`` and so on."""
    header = [line.replace(";", " ") for line in header if line.strip()]
    if not header:
        return [f"col{n}" for n in range(1, width + 1)], {}, {}
    beamline = beamline_of(header)
    names = beamline.get_array_labels(ncolumns=width)
    if len(names) != width:
        raise ImportRefusedError(
            f"its rows have {width} cells, and its header ({beamline.name}) names {len(names)} columns: name them all"
            " (--labels energy,i0,it)"
        )
    about: dict[str, Any] = {"title": header[0].strip(" #"), "header": beamline.name}
    if found := E0.search("\n".join(header)):
        about["e0"] = float(found[1])
    if beamline.mono_dspace > 0:
        about["d_spacing"] = float(beamline.mono_dspace)
    names = _with_legend(header, names)
    if beamline.name == "KEK PF":
        names = _photon_factory(header, names)
    energy = names[min(beamline.energy_column, width) - 1]
    units = {energy: beamline.energy_units} if beamline.name != "generic" else {}
    return names, units, about


def _with_legend(header: list[str], names: list[str]) -> list[str]:
    """Labels with what a header writes of them, like ``P1 = {Energy} --> record`` at APS sector 13 until 2010."""
    found = (LEGEND.match(line) for line in header)
    meanings = {each[1].lower(): each[2].strip().replace(" ", "_").lower() for each in found if each}
    return [meanings.get(name, name) for name in names]


def _photon_factory(header: list[str], names: list[str]) -> list[str]:
    """Labels by the Photon Factory's line ``Mode``, which Larch leaves out: 1 I0, 2 transmission, 3 fluorescence."""
    modes = next((line.split()[1:] for line in header if line.split()[:1] == ["Mode"]), [])
    meanings = {"1": "i0", "2": "it", "3": "if"}
    found = [meanings.get(mode, name) for mode, name in zip(modes[2:], names[3:], strict=False)]
    return [*names[:3], *found, *names[3 + len(found) :]]
