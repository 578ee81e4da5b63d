"""NeXus/HDF5: our own export with its whole result, and spectra by both definitions called NXxas.

Links into other files, virtual and external datasets are not followed: a file shows only what it holds itself.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np

from beamline.records.importing.errors import ImportRefusedError
from beamline.records.importing.table import Table, table_of

MARK = b"\x89HDF\r\n\x1a\n"
MOST_VALUES = 20_000_000
"""Values of a dataset; the covariance of 50 slots and 50 energies has a third of it."""
LONGEST_TEXT = 100_000
DEEPEST = 8
"""Soft links that are followed one after the other."""
OWN = "process/reduced"
"""Where our own export keeps the result of a reduction."""
ENERGIES = ("instrument/monochromator/energy", "energy")
INCOMING = ("instrument/incoming_beam/data", "monitor/data", "instrument/i0/data")
ABSORBED = ("instrument/absorbed_beam/data", "intensity", "data/absorbed_beam")
"""Paths inside an entry, of the NXDL of NXxas, of its newer proposal, and as Larch writes it."""


def is_hdf5(data: bytes) -> bool:
    return data.startswith(MARK)


def read_hdf5(data: bytes) -> list[Table]:
    """All spectra and results of a file, one a NXentry.

    Raises
    ------
    ImportRefusedError
        If it is damaged, leads out of itself, or has neither.
    """
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            entries = [name for name in file if _is_group(file, name)]
            found = [_entry(file, name, name if len(entries) > 1 else "") for name in entries]
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise ImportRefusedError(f"the HDF5 file is damaged ({error})") from error
    tables = [table for table in found if table is not None]
    if not tables:
        raise ImportRefusedError(
            "it has no NXxas entry and no result of this program: an energy (instrument/monochromator/energy) and an"
            " absorption (instrument/absorbed_beam/data or intensity) are needed"
        )
    return tables


def _is_group(file: h5py.File, name: str) -> bool:
    return isinstance(file.get(name, getlink=True), h5py.HardLink) and isinstance(file[name], h5py.Group)


def _find(group: h5py.Group, path: str, deep: int = 0) -> h5py.Group | h5py.Dataset | None:
    """What is at a path inside a group; None if nothing is.

    Raises
    ------
    ImportRefusedError
        If it leads out of the file, or links follow each other for ever.
    """
    for part in path.split("/"):
        if not isinstance(group, h5py.Group) or part not in group.keys():  # noqa: SIM118  # `in` follows links
            return None
        link = group.get(part, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            raise ImportRefusedError(f"{group.name}/{part} leads into another file ({link.filename}): copy it in first")
        if isinstance(link, h5py.SoftLink):
            if deep >= DEEPEST:
                raise ImportRefusedError(f"{group.name}/{part} is a link in a circle")
            start = group.file if link.path.startswith("/") else group
            group = _find(start, link.path.strip("/"), deep + 1)
        else:
            group = group[part]
    return group


def _array(group: h5py.Group, path: str) -> Any:
    """Numbers at a path, None if there are none."""
    found = _find(group, path)
    if not isinstance(found, h5py.Dataset) or found.dtype.kind not in "iuf":
        return None
    if found.external or found.is_virtual:
        raise ImportRefusedError(f"{found.name} lies in another file: copy it in first")
    if found.size > MOST_VALUES:
        raise ImportRefusedError(f"{found.name} has {found.size} values, and {MOST_VALUES} are allowed")
    return np.asarray(found[()])


def _text(group: h5py.Group, path: str) -> str:
    found = _find(group, path)
    if not isinstance(found, h5py.Dataset) or found.shape != () or found.dtype.kind not in "OSU":
        return ""
    if found.external or found.is_virtual:
        return ""
    value = found[()]
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text[:LONGEST_TEXT]


def _entry(file: h5py.File, name: str, part: str) -> Table | None:
    entry = file[name]
    reduced = _find(entry, OWN)
    if isinstance(reduced, h5py.Group):
        return _own(entry, reduced, part)
    energy, unit = _first(entry, ENERGIES)
    if energy is None or energy.ndim != 1:
        return None
    columns: dict[str, Any] = {"energy": energy}
    absorbed, _ = _first(entry, ABSORBED)
    if absorbed is None:
        return None
    return _nxxas(entry, columns, absorbed, unit, part)


def _first(entry: h5py.Group, paths: tuple[str, ...]) -> tuple[Any, str]:
    """Numbers at the first of some paths that has any, and their unit."""
    for path in paths:
        if (values := _array(entry, path)) is not None:
            found = _find(entry, path)
            unit = found.attrs.get("units", "") if found is not None else ""
            return values, unit.decode() if isinstance(unit, bytes) else str(unit)
    return None, ""


def _nxxas(entry: h5py.Group, columns: dict[str, Any], absorbed: Any, unit: str, part: str) -> Table:
    incoming, _ = _first(entry, INCOMING)
    fluorescence = "fluor" in _text(entry, "data/mode").lower() or "yield" in _text(entry, "data/mode").lower()
    if incoming is None:
        columns["mu"] = absorbed
        if (errors := _array(entry, "intensity_errors")) is not None:
            columns["mu_stddev"] = errors
    else:
        columns |= {"i0": incoming, "if" if fluorescence else "it": absorbed}
    size = columns["energy"].size
    if wrong := [label for label, values in columns.items() if np.shape(values) != (size,)]:
        raise ImportRefusedError(f"{entry.name}: {', '.join(wrong)} has another shape than the {size} energies")
    values = np.stack([np.asarray(each, dtype=np.float64) for each in columns.values()], axis=1)
    return table_of(
        list(columns), values, np.zeros(size, np.int64), units={"energy": unit} if unit else {}, part=part,
        about=_about(entry),
    )  # fmt: skip


def _about(entry: h5py.Group) -> dict[str, Any]:
    about = {"title": _text(entry, "title"), "sample": _text(entry, "sample/name"), "began": _text(entry, "start_time")}
    for key, paths in {"element": ("element/name", "element"), "shell": ("edge/name", "edge")}.items():
        about[key] = next((text for path in paths if (text := _text(entry, path))), "")
    return about


def _own(entry: h5py.Group, reduced: h5py.Group, part: str) -> Table:
    """The result of our own export, all of it, with its settings and header."""
    result: dict[str, Any] = {key: value for key in reduced if (value := _array(reduced, key)) is not None}
    result |= {key: text for key in reduced if key not in result and (text := _text(reduced, key))}
    axis = next((key for key in ("energy", "laser_delay", "laser_fluence") if key in result), None)
    if axis is None or np.ndim(result[axis]) != 1:
        raise ImportRefusedError(f"{reduced.name} has no energies, delays or fluences")
    story = _find(entry, "provenance")
    header = {key: _text(story, key) for key in story} if isinstance(story, h5py.Group) else {}
    about = _about(entry) | {"mode": header.get("mode", ""), "header": header, "settings": _settings(entry)}
    values = np.asarray(result[axis], dtype=np.float64)
    unit = {"energy": "keV", "laser_delay": "ps", "laser_fluence": "mJ/cm2"}[axis]
    return Table({axis: values}, np.zeros(values.size, np.int64), {axis: unit}, part, about, result)


def _settings(entry: h5py.Group) -> Mapping[str, Any]:
    try:
        found = json.loads(_text(entry, "process/settings/data") or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
