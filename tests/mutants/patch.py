"""Puts the functions and values of a changed source into a module that is imported already, wherever they are used."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from numba.core import caching

ROOMS = ("reduction", "plans", "beamline", "tests")


def put_in(name: str, path: Path, text: str) -> None:
    """Make an imported module behave like a changed text of its source.

    Functions keep their identity and get new code and defaults, so that every module that imported them has the
    change; other values are replaced wherever they were imported.
    """
    if path.stem == "kernels":  # a compiled twin of the unchanged source would be loaded
        caching.FunctionCache.load_overload = lambda *_: None
        caching.FunctionCache.save_overload = lambda *_: None
    old = sys.modules[name]
    new = ModuleType(name)
    new.__dict__.update({"__file__": str(path), "__name__": name, "__package__": old.__package__})
    exec(compile(text, str(path), "exec", dont_inherit=True), new.__dict__)
    for key, value in list(vars(new).items()):
        before = vars(old).get(key)
        if key.startswith("__") or before is None or getattr(value, "__module__", name) != name:
            continue
        if not _same_again(before, value):
            _replace(key, before, value)
    _forget()


def _forget() -> None:
    """Empty the caches of all functions of ours: what they hold was computed without the change."""
    for module in _ours():
        for value in list(vars(module).values()):
            if callable(clear := getattr(value, "cache_clear", None)):
                clear()


def _ours() -> list[ModuleType]:
    names = [name for name in sys.modules if name.split(".")[0] in ROOMS]
    return [sys.modules[name] for name in names]


def _same_again(old: Any, new: Any) -> bool:
    """Give a function or class the code of its changed twin; False for any other value."""
    if isinstance(old, FunctionType) and isinstance(new, FunctionType):
        old.__code__, old.__defaults__, old.__kwdefaults__ = new.__code__, new.__defaults__, new.__kwdefaults__
        return True
    for wrapped in ("__wrapped__", "__func__", "fget"):
        if not hasattr(old, "py_func") and hasattr(old, wrapped) and hasattr(new, wrapped):
            return _same_again(getattr(old, wrapped), getattr(new, wrapped))
    if not (isinstance(old, type) and isinstance(new, type)):
        return False
    for key, value in list(vars(new).items()):
        before = vars(old).get(key)
        if key in ("__dict__", "__weakref__", "__doc__", "__module__") or before is None:
            continue
        if key == "__init__" and hasattr(new, "__dataclass_fields__"):
            old.__init__ = value  # type: ignore[misc]  # the defaults of its fields are in it
        elif not _same_again(before, value) and not key.startswith("__"):
            _set(old, key, value)
    return True


def _set(owner: type, key: str, value: Any) -> None:
    try:
        setattr(owner, key, value)
    except (AttributeError, TypeError):
        return


def _replace(key: str, old: Any, new: Any) -> None:
    """Replace a value in every module of ours that holds it under its name."""
    for module in _ours():
        if vars(module).get(key) is old:
            setattr(module, key, new)
