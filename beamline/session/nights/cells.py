"""Values of cells: texts, numbers, and arguments of plans as Python literals. Nothing is evaluated."""

from __future__ import annotations

import ast
from typing import Any

from beamline.session.nights.table import LONGEST

TEXTS = frozenset({"background", "scan_set", "order", "reference"})
"""Arguments that are text, also where they look like numbers: a uid may begin with 1234e567."""
LISTS = frozenset({"delays", "fluences", "pattern"})
"""Arguments that are lists, also where there is one number."""


class CellError(ValueError):
    """A cell cannot be used; the message has the reason."""


def checked(value: Any) -> Any:
    """A value as it is in the file.

    Raises
    ------
    CellError
        If it is a formula, a date, or too long.
    """
    if isinstance(value, str) and len(value) > LONGEST:
        raise CellError(f"a cell may have {LONGEST} characters, not {len(value)}")
    if isinstance(value, str) and value.startswith("="):
        raise CellError(f"{value!r} is a formula, and formulas are not computed: write its value")
    if not isinstance(value, str | int | float):
        raise CellError(f"{value} is neither a number nor text")
    return value


def number(value: Any) -> float:
    """A finite number.

    Raises
    ------
    CellError
    """
    try:
        found = float(value)
    except ValueError:
        found = float("nan")
    if not abs(found) < float("inf"):
        raise CellError(f"must be a number, not {value!r}")
    return found


def names(value: Any) -> tuple[str, ...]:
    """Names with commas between them."""
    return tuple(each for part in str(value).split(",") if (each := part.strip()))


def argument(name: str, value: Any) -> Any:
    """An argument of a plan from a cell of its own: ``13.46, 13.47``, ``(1, 0)``, ``random``.

    Raises
    ------
    CellError
    """
    if name in TEXTS:
        return str(value)
    if name == "edge":
        edges = names(value)
        return edges[0] if len(edges) == 1 else edges
    return _listed(name, value if not isinstance(value, str) else _literal(_parsed(value, value), value))


def arguments(text: Any) -> dict[str, Any]:
    """Arguments of a plan in one cell: ``delay=10_100, dwell=1.5, order=random``.

    Raises
    ------
    CellError
    """
    source = f"plan({text})"
    call = _parsed(source, text)
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
        raise CellError(f"{text!r} is no list of arguments, such as delay=10_100, dwell=1.5")
    return {
        _name(each, text): _of_keyword(each, ast.get_source_segment(source, each.value) or "") for each in call.keywords
    }


def _parsed(text: str, shown: Any) -> ast.expr:
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise CellError(
            f"{shown!r} cannot be read: write numbers, text or lists, such as 1.5 or (13.46, 13.47)"
        ) from None


def _name(keyword: ast.keyword, shown: Any) -> str:
    if keyword.arg is None:
        raise CellError(f"{shown!r} has ** in it: write name=value")
    return keyword.arg


def _of_keyword(keyword: ast.keyword, source: str) -> Any:
    if keyword.arg in TEXTS:
        return source.strip("'\"")
    return _listed(keyword.arg, _literal(keyword.value, source))


def _listed(name: str | None, value: Any) -> Any:
    """An argument that is a list, also where one number was written."""
    return [value] if name in LISTS and not isinstance(value, tuple | list) else value


def _literal(node: ast.expr, shown: Any) -> Any:
    """A literal; a name is text."""
    if isinstance(node, ast.Name):
        return node.id
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise CellError(
            f"{shown!r}: only numbers, text and lists of them can be written, nothing is computed"
        ) from None
