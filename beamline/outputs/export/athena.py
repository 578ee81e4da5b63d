"""Spectra as an Athena project, written and readable by Larch (the extra ``files``).

Athena executes a project as a Perl program, so texts must contain no Perl syntax: `plain` passes only letters, digits
and a few signs.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from beamline.formatting import format_delay
from beamline.outputs.export.about import about, edge_energy, element_and_edge, pieces, require_energy_scan
from beamline.outputs.export.errors import ExportError
from beamline.outputs.export.result import Result

NOT_PLAIN = re.compile(r"[^A-Za-z0-9 _.,:;+=/<>-]+")
POST_EDGE = 0.35
"""Start of Athena's post-edge line, as a fraction of the range from E0 to the end of the edge integral."""
LONGEST = 400
"""Characters per comment line."""


def write_athena(path: Path, result: Result) -> Path:
    """Write laser off, laser on and their difference for each slot, with errors, energies in eV.

    Spectra are divided by their edge integrals; E0 is given, so that Athena does not guess it. Differences are marked,
    so that Athena does not normalise them again.

    Raises
    ------
    ExportError
        Without Larch; if the scan is not an energy scan, or the element of its edge is unknown.
    """
    require_energy_scan(result, "An Athena project")
    try:
        from larch import Group
        from larch.io.athena_project import AthenaProject
    except ImportError as error:
        raise ExportError(
            f"an Athena project is written by Larch, which is not installed here ({error}); install the extra 'files'"
            " of this package, or write xdi (--format xdi), which Athena reads too"
        ) from error
    element, edge = element_and_edge(result)
    project = AthenaProject()
    remarks = [each for key, value in about(result).items() for each in pieces(plain(f"{key}: {value}"), LONGEST)]
    for label, key, index in _spectra(result):
        group = _group(Group, result, label, key, index)
        identity = f"g{len(project.groups):04d}"
        group.id = identity
        project.add_group(group)
        args = project.groups[identity].args
        args.update(titles=["titles", *remarks], label=label, atsym=element, edge=edge, bkg_z=element, bkg_eshift="0")
        if key == "transient":
            args.update(is_diff="1", is_nor="1", is_xmu="0")
    project.save(str(path))
    return path


def plain(text: object) -> str:
    """A text without Perl or Python syntax."""
    return NOT_PLAIN.sub(" ", str(text)).strip()


def _spectra(result: Result) -> list[tuple[str, str, int | None]]:
    """Label, data key, and slot (None: the static spectrum)."""
    found: list[tuple[str, str, int | None]] = [("laser off all slots", "static", None)]
    for slot in result.slots():
        when = plain(format_delay(round(result.slot_delays[slot], 1)))
        found += [
            (f"laser off slot {slot}", "off", slot),
            (f"laser on slot {slot} {when}", "on", slot),
            (f"difference slot {slot} {when}", "transient", slot),
        ]
    return found


def _group(kind: Any, result: Result, label: str, key: str, slot: int | None) -> Any:
    def of(name: str) -> np.ndarray:
        values = np.asarray(result.data[name], dtype=np.float64)
        return values if slot is None else values[slot]

    rows = result.rows("static") & np.isfinite(of(key)) & np.isfinite(of(f"{key}_stddev"))
    energy = 1e3 * np.asarray(result.data["energy"])[rows]
    e0 = 1e3 * edge_energy(result)
    low, high = (
        1e3 * np.asarray(result.start["settings"][name], dtype=np.float64) for name in ("pre_edge", "integral")
    )
    ranges = kind(
        nnorm=0, norm1=float(POST_EDGE * (high[1] - e0)), norm2=float(high[1] - e0),
        pre1=float(low[0] - e0), pre2=float(low[1] - e0), nvict=0,
    )  # fmt: skip
    return kind(
        __name__=label, filename=label, energy=energy, mu=of(key)[rows], stddev=of(f"{key}_stddev")[rows], e0=e0,
        edge_step=1.0, pre_edge_details=ranges,
    )  # fmt: skip
