"""Tests that can notice a change of a line, quickest first."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from itertools import accumulate
from pathlib import Path
from typing import Any


class Chooser:
    """Chooses tests by the lines that they run.

    Parameters
    ----------
    root : Path
    tests : mapping
        ``seconds`` and ``lines`` of each test, from `tests.mutants.coverage`.
    """

    def __init__(self, root: Path, tests: Mapping[str, Mapping[str, Any]]) -> None:
        self._root = root
        self._seconds = {test: found["seconds"] for test, found in tests.items()}
        self._of_line: dict[str, set[str]] = {}
        self._of_file: dict[str, set[str]] = {}
        for test, found in tests.items():
            for place in found["lines"]:
                self._of_line.setdefault(place, set()).add(test)
                self._of_file.setdefault(place.rpartition(":")[0], set()).add(test)

    def seconds(self, tests: list[str]) -> float:
        """How long tests took together when their lines were recorded."""
        return sum(self._seconds[test] for test in tests)

    def tests(self, source: Path, line: int, budget: float = float("inf")) -> list[str]:
        """Tests that run the line, or its statement, or its function; for a constant those of all that import it.

        Quickest first, as many as together took no longer than `budget` seconds.
        """
        file = str(source.relative_to(self._root))
        tree = ast.parse(source.read_text(encoding="utf-8"))
        found: set[str] = set()
        spans = [(line, line), *_statements(tree, line)] if _in_function(tree, line) else []
        for begin, end in spans:
            found = set().union(*(self._of_line.get(f"{file}:{each}", set()) for each in range(begin, end + 1)))
            if found:
                break
        else:
            for name in (file, *self._importers(source)):
                found |= self._of_file.get(name, set())
        ordered = sorted(found, key=lambda test: self._seconds[test])
        ends = accumulate(self._seconds[test] for test in ordered)
        return [test for test, end in zip(ordered, ends, strict=True) if end <= budget]

    def _importers(self, source: Path) -> list[str]:
        module = ".".join(source.relative_to(self._root).with_suffix("").parts)
        room = self._root / source.relative_to(self._root).parts[0]
        return [
            str(path.relative_to(self._root)) for path in sorted(room.rglob("*.py"))
            if f"from {module} import" in path.read_text(encoding="utf-8")
        ]  # fmt: skip


def _statements(tree: ast.Module, line: int) -> list[tuple[int, int]]:
    """First and last lines of the statements that hold a line, smallest first, up to its function."""
    spans = [
        (node.lineno, node.end_lineno or node.lineno) for node in ast.walk(tree)
        if isinstance(node, ast.stmt) and not isinstance(node, ast.ClassDef)
        and node.lineno <= line <= (node.end_lineno or node.lineno)
    ]  # fmt: skip
    return sorted(spans, key=lambda span: span[1] - span[0])


def _in_function(tree: ast.Module, line: int) -> bool:
    """Whether a line runs when a function is called, and not when its module is imported."""
    return any(
        node.body[0].lineno <= line <= (node.end_lineno or 0) and not _is_kernel(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def _is_kernel(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a function is compiled: its lines leave no trace."""
    return any("kernel" in ast.unparse(decorator) for decorator in node.decorator_list)
