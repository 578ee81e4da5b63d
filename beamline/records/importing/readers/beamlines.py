"""Labels of the columns of text files, by the headers of beamlines that Larch knows."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from beamline.records.importing.errors import ImportRefusedError


@cache
def _larch_module() -> ModuleType:
    """Larch's module about headers, loaded from its file: importing the package would take ten seconds.

    Raises
    ------
    ImportRefusedError
        Without Larch.
    """
    larch = importlib.util.find_spec("larch")
    if larch is None or larch.origin is None:
        raise ImportRefusedError(
            "the columns of this header are named by Larch, which is not installed here; install the extra 'files' of"
            " this package, or name the columns (--labels energy,i0,it)"
        )
    path = Path(larch.origin).with_name("io") / "xafs_beamlines.py"
    spec = importlib.util.spec_from_file_location("trxas_larch_xafs_beamlines", path)
    assert spec is not None and spec.loader is not None  # a file of an installed package
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def beamline_of(header: list[str]) -> Any:
    """Larch's description of a header: ``name``, ``energy_column`` (from 1), ``energy_units``, ``mono_dspace``."""
    return _larch_module().guess_beamline(header)(header)
