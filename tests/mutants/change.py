"""Places of a source where one token can be changed, and the source with one of them changed.

What is changed, and how, shall be able to make a difference:

- A comparison with a whole number, a length or a size includes its limit or not: ``<`` and ``<=``. Of two computed
  values that differs only where two floating-point numbers are equal: there it is reversed, ``<`` to ``>=``.
- A number becomes larger by one; from 100 on, where that would be less than 1 %, twice as large.
- Constants named after the starts and the rounds of a search are left alone: where it ends does not depend on them.
- Types, assertions (for the type checker, none can fail) and arguments with which kernels are compiled are left alone.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.Pow: "*", ast.FloorDiv: "/", ast.Mod: "*",
    ast.MatMult: "*", ast.BitAnd: "|", ast.BitOr: "&",
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==",
    ast.And: "or", ast.Or: "and",
}  # fmt: skip
REVERSED: dict[type[ast.AST], str] = {ast.Lt: ">=", ast.LtE: ">", ast.Gt: "<=", ast.GtE: "<"}
WHOLE = ("size", "ndim", "count_nonzero", "len", "num_slots", "num_bunches", "num_phases")
"""Names of whole numbers."""
COMPILING = "warm_up"
OF_SEARCHES = {"STARTS", "ROUNDS"}
LARGE = 100
SIGNS: dict[type[ast.AST], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**", ast.FloorDiv: "//", ast.Mod: "%",
    ast.MatMult: "@", ast.BitAnd: "&", ast.BitOr: "|",
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
    ast.And: "and", ast.Or: "or",
}  # fmt: skip


@dataclass(frozen=True)
class Change:
    """One token at a place of a source.

    Attributes
    ----------
    line, column : int
        Of the token; lines from 1, columns in bytes from 0.
    old, new : str
    """

    line: int
    column: int
    old: str
    new: str

    def applied(self, source: str) -> str:
        """The source with this change."""
        lines = source.splitlines(keepends=True)
        text = lines[self.line - 1].encode()
        end = self.column + len(self.old.encode())
        assert text[self.column : end] == self.old.encode()
        lines[self.line - 1] = (text[: self.column] + self.new.encode() + text[end:]).decode()
        return "".join(lines)


def changes(source: str) -> list[Change]:
    """All changes of a source: operators, comparisons, boolean operators, and numbers by one."""
    lines = [line.encode() for line in source.splitlines()]
    found: list[Change] = []
    for node in ast.walk(_Counting().visit(ast.parse(source))):
        for left, operator, right in _pairs(node):
            place = _between(lines, left, right, SIGNS[type(operator)])
            if place is not None:
                found.append(Change(*place, SIGNS[type(operator)], _other(left, operator, right)))
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            old = lines[node.lineno - 1][node.col_offset : node.end_col_offset].decode()
            found.append(Change(node.lineno, node.col_offset, old, repr(_larger(node.value))))
    return sorted(set(found), key=lambda change: (change.line, change.column))


def _larger(value: float) -> float:
    return 2 * value if value >= LARGE else value + 1


def _other(left: ast.expr, operator: ast.AST, right: ast.expr) -> str:
    """The operator that stands there instead."""
    if _is_whole(left) or _is_whole(right):
        return OPERATORS[type(operator)]
    return REVERSED.get(type(operator), OPERATORS[type(operator)])


def _is_whole(value: ast.expr) -> bool:
    """Whether an operand is a whole number, as far as its text shows it."""
    if isinstance(value, ast.Constant):
        return isinstance(value.value, int)
    last = value.func if isinstance(value, ast.Call) else value
    return getattr(last, "attr", getattr(last, "id", None)) in WHOLE


def _pairs(node: ast.AST) -> Iterator[tuple[ast.expr, ast.AST, ast.expr]]:
    """Operands of a node and the operator between them."""
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        yield node.left, node.op, node.right
    elif isinstance(node, ast.Compare):
        operands = [node.left, *node.comparators]
        for left, operator, right in zip(operands, node.ops, operands[1:], strict=False):
            if type(operator) in OPERATORS:
                yield left, operator, right
    elif isinstance(node, ast.BoolOp):
        for left, right in zip(node.values, node.values[1:], strict=False):
            yield left, node.op, right


def _between(lines: list[bytes], left: ast.expr, right: ast.expr, sign: str) -> tuple[int, int] | None:
    """Line and column of an operator between two operands; None if it is not on the line where the left one ends."""
    assert left.end_lineno is not None and left.end_col_offset is not None
    text = lines[left.end_lineno - 1]
    end = right.col_offset if right.lineno == left.end_lineno else len(text)
    at = text.find(sign.encode(), left.end_col_offset, end)
    return None if at < 0 else (left.end_lineno, at)


class _Counting(ast.NodeTransformer):
    """Takes out of a tree what no change can make different: types, assertions, what is compiled beforehand."""

    def visit_Assert(self, node: ast.Assert) -> None:
        return None

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST | None:
        return None if node.name == COMPILING else self._untyped(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._untyped(node)

    def visit_Assign(self, node: ast.Assign) -> ast.AST | None:
        names = {name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name)}
        return None if names & OF_SEARCHES else self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.annotation = ast.copy_location(ast.Constant(value=None), node.target)
        return self.generic_visit(node)

    def _untyped(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        node.returns = None
        for argument in [*node.args.args, *node.args.kwonlyargs, *node.args.posonlyargs]:
            argument.annotation = None
        return self.generic_visit(node)
