"""Settings of the reduction, and the keys of its documents, from the dataclasses behind them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from numpydoc.docscrape import NumpyDocString

from docs.generator.markdown import code, one_line, parameters, plain_default, table
from reduction.documents.results import FIT_UNITS, RELATIVE_UNITS, SPECTRUM_UNITS
from reduction.documents.streams import RATE_UNITS
from reduction.settings import Settings
from reduction.spectra.spectrum import Spectrum
from reduction.traces.delay import DelayScan
from reduction.traces.fluence import FluenceScan
from reduction.traces.kinetics.fit import KineticFit

KEYS = ("key", "type", "unit", "meaning")


def settings() -> str:
    """Every setting with its default."""
    rows = []
    for field in fields(Settings):
        kind, meaning = _documented(Settings)[field.name]
        default = "of the edge" if field.default is MISSING else plain_default(field.default) or "none"
        rows.append((code(field.name), kind, default, meaning))
    return table(("setting", "type", "default", "meaning"), rows)


def spectrum() -> str:
    """Keys of the stream `spectrum`."""
    return _keys(Spectrum, SPECTRUM_UNITS)


def traces() -> str:
    """Keys of the stream `trace`, of a delay scan and of a fluence scan."""
    relative = dict.fromkeys(("transient", "transient_stddev", "offset", "offset_stddev"), RELATIVE_UNITS)
    rates = dict.fromkeys(("on", "on_stddev", "off", "off_stddev"), RATE_UNITS)
    units = {"delay": "ps", "fluence": "mJ/cm2", **relative, **rates}
    delay = f"Delay scan (`delay` is called `laser_delay`):\n\n{_keys(DelayScan, units)}"
    return f"{delay}\nFluence scan (`fluence` is called `laser_fluence`):\n\n{_keys(FluenceScan, units)}"


def kinetics() -> str:
    """Keys of the stream `kinetics`."""
    return _keys(KineticFit, FIT_UNITS)


def _keys(kind: type[Any], units: Mapping[str, str]) -> str:
    known = _documented(kind)
    rows = [(code(field.name), *known.get(field.name, ("", ""))) for field in fields(kind)]
    return table(KEYS, [(name, of, units.get(name.strip("`"), ""), meaning) for name, of, meaning in rows])


def _documented(kind: type[Any]) -> dict[str, tuple[str, str]]:
    """Type and meaning of each attribute, as its class documents them."""
    found: dict[str, tuple[str, str]] = {}
    for names, of, meaning in parameters(NumpyDocString(inspect.getdoc(kind) or "")["Attributes"]):
        for name in names.replace("`", "").split(", "):
            found[name] = (of, one_line(meaning))
    return found
