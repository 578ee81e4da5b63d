"""The layout of the tree: imports run one way, folders are few, files and functions are short."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.helpers.ioc_process import ROOT

ROOMS = ("beamline", "devices", "plans", "reduction", "sim_ioc")
MOST_ENTRIES = 9
"""Most entries at the top of `beamline/`: what a newcomer takes in at a glance."""
MOST_LINES = 300
"""Most lines of a Python file."""
MOST_OF_A_STEP = 500
"""Most lines of the package that makes a step of a scan short."""
LONG, MOST_LONG, MEDIAN = 20, 0.05, 4
"""Lines from which on a function is long, largest fraction of long ones, and the largest median."""


def sources(room: str) -> Iterator[Path]:
    return (path for path in (ROOT / room).rglob("*.py") if "__pycache__" not in path.parts)


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for room in ROOMS for path in sources(room)}


def imported(path: Path) -> Iterator[str]:
    """Modules of ours that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in MODULES else node.module


def folder(module: str) -> str:
    """The folder of a module, or the module itself at the top of a room; the root package of a room is its face."""
    path = MODULES[module]
    inside = path.parent.relative_to(ROOT)
    return str(inside) if len(inside.parts) > 1 else module


def folder_imports() -> dict[str, set[str]]:
    """Folder to the folders of other branches that it imports; a folder and its own subfolders are one thought."""
    graph: dict[str, set[str]] = {}
    for module, path in MODULES.items():
        if module in ROOMS:
            continue
        here = folder(module)
        for name in imported(path):
            there = folder(name)
            apart = not (f"{there}/".startswith(f"{here}/") or f"{here}/".startswith(f"{there}/"))
            if name not in ROOMS and apart:
                graph.setdefault(here, set()).add(there)
    return graph


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Folders that import each other in a circle, in the order of the imports; empty if there are none."""
    finished: set[str] = set()

    def search(node: str, trail: list[str]) -> list[str]:
        if node in trail:
            return [*trail[trail.index(node) :], node]
        if node in finished:
            return []
        for following in sorted(graph.get(node, ())):
            if found := search(following, [*trail, node]):
                return found
        finished.add(node)
        return []

    for start in sorted(graph):
        if found := search(start, []):
            return found
    return []


def test_a_circle_is_found():
    graph = {"a": {"b"}, "b": {"c", "d"}, "d": {"b"}, "c": set()}
    assert circle(graph) == ["b", "d", "b"]
    assert circle({"a": {"b", "c"}, "b": {"c"}}) == []


def test_no_folders_import_each_other_in_a_circle():
    graph = folder_imports()
    assert sum(map(len, graph.values())) > 60
    assert circle(graph) == []


def test_the_beamline_room_has_few_entries():
    room = ROOT / "beamline"
    files = (path.relative_to(room) for path in room.rglob("*") if path.is_file())
    entries = {path.parts[0] for path in files if "__pycache__" not in path.parts}
    assert len(entries) <= MOST_ENTRIES, sorted(entries)


def test_files_are_short():
    """All Python files of the repository, tests and benchmarks included."""
    folders = (*ROOMS, "tests", "docs")
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for room in folders for path in sources(room)}
    assert len(lengths) > len(MODULES)
    assert {str(path.relative_to(ROOT)): lines for path, lines in lengths.items() if lines > MOST_LINES} == {}


def test_the_machinery_of_a_step_is_one_short_package():
    """Channel Access and the RunEngine's reads: what makes a step short has to stay readable as a whole."""
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in sources("devices/channel_access")}
    assert "quick_read.py" in {path.name for path in lines}
    assert sum(lines.values()) <= MOST_OF_A_STEP


def function_lengths(path: Path) -> Iterator[int]:
    """Lines of the body of each function, its docstring apart."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            if body:
                yield (body[-1].end_lineno or 0) - body[0].lineno + 1


def test_functions_are_short():
    lengths = np.array([length for path in MODULES.values() for length in function_lengths(path)])
    assert np.median(lengths) <= MEDIAN
    assert np.mean(lengths > LONG) <= MOST_LONG


def test_no_two_classes_share_a_name():
    names: dict[str, list[str]] = {}
    for module, path in MODULES.items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                names.setdefault(node.name, []).append(module)
    assert {name: modules for name, modules in names.items() if len(modules) > 1} == {}
