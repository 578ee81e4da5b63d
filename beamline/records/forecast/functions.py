"""Quantities of a user: functions of a result in Python files that a forecast file names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any

from beamline.config.forecast import ForecastFile, ForecastFileError, FunctionForecast
from reduction.allocation.functions import of_function
from reduction.allocation.quantities import Builder
from reduction.allocation.wanted import KNOWN

AXES = {"energy": "mono_energy", "delay": "laser_delay", "fluence": "laser_fluence"}


def known_quantities(forecast: ForecastFile) -> Mapping[str, Builder]:
    """All quantities by name: those of the program, and the functions of a forecast file.

    Raises
    ------
    ForecastFileError
        If a function cannot be had, or has the name of a quantity.
    """
    if taken := sorted(set(forecast.functions) & set(KNOWN)):
        raise ForecastFileError(f"functions.{taken[0]}: this is a quantity already; take another name")
    own = {
        name: of_function(name, _imported(name, entry), AXES[entry.scan], entry.unit)
        for name, entry in forecast.functions.items()
    }
    return {**KNOWN, **own}


def _imported(name: str, entry: FunctionForecast) -> Callable[..., Any]:
    spec = spec_from_file_location(f"trxas_quantity_{name}", entry.file)
    try:
        if spec is None or spec.loader is None:
            raise ImportError("no Python file")
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        found: Callable[..., Any] = getattr(module, entry.function or name)
    except Exception as error:  # whatever a file of the user raises
        raise ForecastFileError(f"functions.{name}: {entry.file}: {type(error).__name__}: {error}") from error
    return found
