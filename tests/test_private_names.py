"""Private names of pinned packages: all are listed, all that are listed are used, and all exist."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.ioc_process import ROOT

PAGE = ROOT / "docs" / "reference" / "private-names.md"
ROOMS = ("beamline", "devices", "plans", "reduction", "sim_ioc")
ROW = re.compile(r"^\| `([\w.]+):(\w+)(?:\.(\w+))?` \| `([\w/.]+)` \|", re.MULTILINE)
LISTED = ROW.findall(PAGE.read_text(encoding="utf-8"))
FILES = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_"


def defined(tree: ast.AST) -> Iterator[str]:
    """Names that a file of ours gives to something."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.Attribute(ctx=ast.Store()):
                yield node.attr
            case ast.Name(ctx=ast.Store()):
                yield node.id
            case ast.arg():
                yield node.arg


def taken(tree: ast.AST) -> Iterator[str]:
    """Private names that a file takes from elsewhere: attributes, imports from private modules or of private names."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute() if is_private(node.attr):
                yield node.attr
            case ast.ImportFrom(module=str()) if any(map(is_private, node.module.split("."))):
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom(module=str()) if node.module.split(".")[0] not in ROOMS:
                yield from (alias.name for alias in node.names if is_private(alias.name))


def trees() -> dict[Path, ast.AST]:
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}


def test_every_private_name_of_a_package_is_listed():
    listed = {attribute or name for _, name, attribute, _ in LISTED}
    found = trees()
    ours = {name for tree in found.values() for name in defined(tree)}
    unlisted = {
        f"{path.relative_to(ROOT)}: {name}"
        for path, tree in found.items()
        for name in taken(tree)
        if name not in listed and name not in ours
    }
    assert unlisted == set()


@pytest.mark.parametrize(("module", "name", "attribute", "file"), LISTED, ids=[":".join(row[:3]) for row in LISTED])
def test_a_listed_name_exists_and_is_used(module: str, name: str, attribute: str, file: str):
    text = (ROOT / file).read_text(encoding="utf-8")
    assert re.search(rf"\b{attribute or name}\b", text), f"{file} no longer uses it: take it off the page"
    thing = getattr(importlib.import_module(module), name)
    if attribute:
        sources = "".join(
            inspect.getsource(each) for each in thing.__mro__ if each.__module__ not in ("builtins", "_dispatcher")
        )
        assert re.search(rf"(def {attribute}\b|self\.{attribute}\b\s*[:=(,]|\b{attribute}\s*[:=])", sources), attribute


def test_the_page_lists_what_the_test_expects():
    assert len(LISTED) > 25
