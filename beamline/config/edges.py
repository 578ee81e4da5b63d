"""Absorption edges of a beamline: entries of the configuration, and of the file of a proposal."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, FiniteFloat, ValidationError, model_validator

from beamline.config.entries import Section, format_errors
from beamline.config.own_files import read_own
from plans.compilation.arguments import refuse_another_unit
from plans.compilation.edges import Edge, edge_of, find_edge, packaged_entries

FILE = "edges.toml"
"""File of a proposal, in its data root."""


def _in_kev(value: float) -> float:
    refuse_another_unit("the energy", value, "keV")
    return value


KeV = Annotated[float, Field(gt=0, allow_inf_nan=False), AfterValidator(_in_kev)]
Window = tuple[KeV, KeV]


class EdgeFileError(ValueError):
    """The file of edges of a proposal is invalid; the message names file and entry."""


class EdgeEntry(Section):
    """An absorption edge, named by element and shell (``Fe_K``) or freely. What is left out keeps its default."""

    element: str | None = None
    """Symbol of the element; only where NAME is a free one."""
    shell: str | None = None
    """Shell, for example ``L3``; only where NAME is a free one."""
    e0: KeV | None = None
    """Edge energy, keV; by default that of `xraydb`. The default grid and windows move with it."""
    core_hole_width: float | None = Field(default=None, gt=0, le=500)
    """Natural width, eV; by default that of `xraydb`."""
    regions: tuple[tuple[KeV, KeV, float], ...] | None = None
    """Grid: rows of start (keV), stop (keV) and step (eV)."""
    relative_regions: tuple[tuple[FiniteFloat, FiniteFloat, FiniteFloat | str], ...] | None = None
    """Grid: rows of start and stop (eV from E0) and step, in eV or, as ``"0.1k"``, in 1/angstrom."""
    pre_edge: Window | None = None
    """Window of the flat offset, keV."""
    integral: Window | None = None
    """Window of the edge integral, keV."""
    main_feature: KeV | None = None
    """Energy of the main transient feature, keV, where delay and fluence scans measure; by default that of the largest
    transient of the newest energy scan of the sample."""
    comparison_main: Window | None = None
    """Window of the numerator of the comparison parameter C, keV."""
    comparison_pre: Window | None = None
    """Window of its denominator, keV."""


class EdgeEntries(Section):
    """Tables ``[edges.NAME]``."""

    edges: dict[str, EdgeEntry] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _give_edges(self) -> EdgeEntries:
        check_entries(self.edges)
        return self


def check_entries(entries: Mapping[str, EdgeEntry]) -> None:
    """Refuse entries that do not give an edge.

    Raises
    ------
    ValueError
        Naming each.
    """
    faults = []
    for name, entry in entries.items():
        try:
            _edge(name, entry)
        except ValueError as error:
            faults.append(str(error))
    if faults:
        raise ValueError("; ".join(faults))


def _edge(name: str, entry: EdgeEntry) -> Edge:
    """The edge of an entry, which overrides the one that comes with the program."""
    own: dict[str, Any] = entry.model_dump(exclude_none=True)
    both = {**packaged_entries().get(name, {}), **own}
    if "relative_regions" in own and "regions" not in own:
        both.pop("regions", None)
    return edge_of(name, both)


def entries_of_proposal(root: Path) -> dict[str, EdgeEntry]:
    """Entries of the file of a proposal; empty without one.

    Raises
    ------
    EdgeFileError
    """
    path = root / FILE
    try:
        content = tomllib.loads(read_own(path).decode("utf-8-sig"))
        return EdgeEntries.model_validate(content).edges
    except FileNotFoundError:
        return {}
    except ValidationError as error:
        raise EdgeFileError(f"{path}: {format_errors(error)}") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise EdgeFileError(f"{path} cannot be read: {error}") from error


def configured_edge(edge: str | Edge, entries: Mapping[str, EdgeEntry], root: Path) -> Edge:
    """The edge of that name: from the file of the proposal, the configuration, the program, or the tables.

    Parameters
    ----------
    edge : str or Edge
        An `Edge` is returned.
    entries : mapping
        Those of the configuration.
    root : Path
        Data root, which has the file of the proposal.

    Raises
    ------
    ValueError
        If it is not known, or the file is invalid.
    """
    known = {**entries, **entries_of_proposal(root)}
    return _edge(edge, known[edge]) if isinstance(edge, str) and edge in known else find_edge(edge)
