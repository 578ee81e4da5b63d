"""Description of the benchmarked machine."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path

LIBRARIES = ("numpy", "numba", "llvmlite", "scipp", "boost-histogram", "pandas", "h5py")
EXTENSIONS = ("avx2", "avx512bw", "avx512_vbmi2")


def describe() -> dict[str, str]:
    """Processor, its vector instructions, cores, load, memory and versions."""
    info = _cpu_info()
    flags = info.get("flags", "").split()
    return {
        "processor": info.get("model name", platform.processor() or "unknown"),
        "family, model": f"{info.get('cpu family', '?')}, {info.get('model', '?')}",
        "vector instructions": ", ".join(each for each in EXTENSIONS if each in flags) or "unknown",
        "cores": str(os.cpu_count()),
        "load before": f"{os.getloadavg()[0]:.2f}",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **{library: _version(library) for library in LIBRARIES},
    }


def _cpu_info() -> dict[str, str]:
    """``/proc/cpuinfo`` entries of the first processor, if available."""
    if not (path := Path("/proc/cpuinfo")).exists():
        return {}
    pairs = (line.split(":", 1) for line in path.read_text().split("\n\n")[0].splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def _version(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return "not installed"
