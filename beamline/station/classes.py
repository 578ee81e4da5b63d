"""Makes devices of the entries ``[devices.NAME]`` of a configuration."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ophyd import Device

from beamline.config.classes import CLASSES
from beamline.config.devices import DeviceEntry
from devices.base.signals import SoftSignal

OF_OPHYD = ("read_attrs", "configuration_attrs")
"""Keyword arguments that every ophyd device takes."""
OF_THE_PROGRAM = frozenset({"self", "prefix", "name", "parent", "kwargs"})


class DeviceError(ValueError):
    """A device cannot be made; the message names the entry and the way out."""


def make_device(name: str, entry: DeviceEntry, file: Path | None) -> Device:
    """Make a device without connecting it.

    Parameters
    ----------
    name : str
    entry : DeviceEntry
    file : Path or None
        Configuration file that the user has named; without it a class of the user is refused.

    Raises
    ------
    DeviceError
    """
    kind = _class_of(name, entry, file)
    given = entry.arguments
    arguments, soft = _arguments(kind), _soft_signals(kind)
    if unknown := [key for key in given if key not in (*arguments, *soft)]:
        known = ", ".join(sorted((*arguments, *soft))) or "none"
        raise DeviceError(f"devices.{name}.{unknown[0]}: class {entry.kind} has no such argument; it has {known}")
    try:
        device = kind(entry.prefix, name=name, **{key: value for key, value in given.items() if key in arguments})
        for key in given:
            if key not in arguments:
                getattr(device, key).put(given[key])
    except (TypeError, ValueError) as error:
        raise DeviceError(f"devices.{name}: {error}") from error
    return device


def _class_of(name: str, entry: DeviceEntry, file: Path | None) -> type[Device]:
    own = entry.kind not in CLASSES
    if own and file is None:
        raise DeviceError(
            f"devices.{name}.class: {entry.kind} is a class of your own, which is imported only from a configuration"
            " file that you name: give the path of a copy of this one"
        )
    module, _, attribute = (entry.kind if own else CLASSES[entry.kind].path).partition(":")
    with _importable_from(file.parent if own and file is not None else None):
        try:
            found = getattr(importlib.import_module(module), attribute)
        except Exception as error:  # whatever a module of the user raises
            raise DeviceError(
                f"devices.{name}.class: {entry.kind} cannot be imported ({type(error).__name__}: {error}); its package"
                f" has to be installed, or to lie in {file.parent if file else 'the program'}"
            ) from error
    if not (isinstance(found, type) and issubclass(found, Device)):
        raise DeviceError(f"devices.{name}.class: {entry.kind} is no class of ophyd devices (ophyd.Device)")
    return found


@contextmanager
def _importable_from(folder: Path | None) -> Iterator[None]:
    """Meanwhile a folder is searched for modules, after all others."""
    if folder is None:
        yield
        return
    sys.path.append(str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _arguments(kind: type[Device]) -> tuple[str, ...]:
    """Keyword arguments that a class takes beside prefix and name."""
    found: dict[str, Any] = dict.fromkeys(OF_OPHYD)
    for each in kind.__mro__[: kind.__mro__.index(Device)]:
        if "__init__" in vars(each):
            parameters = inspect.signature(vars(each)["__init__"]).parameters.values()
            found |= {one.name: one for one in parameters if one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)}
    return tuple(name for name in found if name not in OF_THE_PROGRAM)


def _soft_signals(kind: type[Device]) -> tuple[str, ...]:
    """Signals of a class that hold values of the session, which a configuration may set."""
    parts = kind._sig_attrs.items()
    return tuple(name for name, part in parts if isinstance(part.cls, type) and issubclass(part.cls, SoftSignal))
