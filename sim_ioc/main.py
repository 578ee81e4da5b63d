"""Command line of the simulated beamline."""

from __future__ import annotations

import argparse
import math
import sys
from typing import Any

from sim_ioc.beamline import Beamline
from sim_ioc.scenario import ScenarioError, load_scenario
from sim_ioc.server import run


def main(arguments: list[str] | None = None) -> int:
    """Serve the simulated beamline, or list its PVs.

    Returns
    -------
    int
        Exit status: 0, or 2 with one line on standard error if it cannot start.
    """
    options = _parser().parse_args(arguments)
    try:
        if not (math.isfinite(options.speedup) and 0 < options.speedup <= 1e6):
            raise ValueError(f"--speedup must be above 0 and at most 1e6, not {options.speedup:g}")
        if options.prefix is None:
            raise ValueError("--prefix is missing (for example --prefix sim:): a simulator never serves real names")
        scenario = load_scenario(options.scenario)
        if options.list:
            print_list(Beamline(scenario, options.speedup).records(options.prefix))
        else:
            run(Beamline(scenario, options.speedup), options.prefix, options.with_parent)
    except (ScenarioError, ValueError, OSError) as error:
        print(f"sim_ioc: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sim_ioc", description="Simulated beamline: a Channel Access server on 127.0.0.1."
    )
    parser.add_argument("--scenario", metavar="FILE", help="scenario TOML, or the name of one that comes with it")
    parser.add_argument("--prefix", help="put before each PV name, for example sim:")
    parser.add_argument("--speedup", type=float, default=1.0, help="beamline seconds a wall second (1)")
    parser.add_argument("--list", action="store_true", help="print every PV and exit")
    parser.add_argument("--with-parent", action="store_true", help="stop when the parent process ends")
    return parser


def print_list(records: dict[str, Any]) -> None:
    """Print name, type, count, unit, limits, access and meaning of every PV, and of the fields that matter."""
    rows = []
    for name, record in records.items():
        rows.append(_row(name, record, record.meaning))
        rows += [
            _row(f"{name}.{field}", record.fields[field], meaning)
            for field, meaning in (record.main_fields or {}).items()
        ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _row(name: str, channel: Any, meaning: str) -> tuple[str, ...]:
    limits = f"{channel.limits.low:g}..{channel.limits.high:g}" if channel.limits else "-"
    unit = getattr(channel, "units", "") or "-"
    access = "rw" if channel.writable else "r"
    return name, channel.data_type.name, str(channel.max_length), unit, limits, access, meaning
