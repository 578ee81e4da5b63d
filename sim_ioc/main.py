"""Command line of the simulated beamline."""

from __future__ import annotations

import argparse
import math
import sys

from sim_ioc.scenario.scenario import ScenarioError, load_scenario


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
        scenario = load_scenario(options.scenario, options.seed)
        # Imported late, so that errors in the options are reported before server and kernels load.
        from sim_ioc.beamline import SimBeamline
        from sim_ioc.listing import table_lines, text_lines
        from sim_ioc.server import run

        if options.list:
            lines = table_lines if options.markdown else text_lines
            print("\n".join(lines(SimBeamline(scenario, options.speedup).records(options.prefix))))
        else:
            run(SimBeamline(scenario, options.speedup), options.prefix, options.with_parent)
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
    parser.add_argument("--speedup", type=float, default=1.0, help="beamline seconds per wall second (1)")
    parser.add_argument("--seed", type=int, help="of all noise, instead of that of the scenario")
    parser.add_argument("--list", action="store_true", help="print every PV and exit")
    parser.add_argument("--markdown", action="store_true", help="with --list: as the table of the documentation")
    parser.add_argument("--with-parent", action="store_true", help="stop when the parent process ends")
    return parser
